"""The answer of `whatif` on packets: what a lab of its own measured, beside the prediction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from cli.execution import carry_out
from cli.progress import RunProgress
from playbooks.shadow import prepare_shadow, room
from results.validity import Level
from twin.situation import Situation
from twin.whatif import Outcome


@dataclass(frozen=True)
class Confirmation:
    """Prediction and packets side by side. None was not measured."""

    run_dir: str
    verdict: Level
    reasons: tuple[str, ...]
    figures: dict[str, tuple[float, float | None]]
    """By name: what was predicted, and what was measured."""


def confirm(
    situation: Situation, predicted: Outcome, name: str, out: Path, progress: RunProgress
) -> Confirmation:
    """Run `situation` in a shadow lab once the machine can carry one.

    Raises:
        MissingProgramError, SandboxUnavailableError, LinkError: this machine cannot do it.
        RunDirectoryError: the run directory cannot be made.
        KeyboardInterrupt: the run was ended from outside.
    """
    with room(progress.step):
        shadow = prepare_shadow(situation, name, out)
        summary = carry_out(shadow.run_dir, shadow.sandbox, progress)
    return Confirmation(
        str(shadow.run_dir.path),
        summary.verdict,
        (*summary.reasons, *summary.warnings),
        _figures(predicted, summary.metrics),
    )


def confirmation_table(confirmed: Confirmation) -> Table:
    """For people."""
    table = Table(f"on packets ({confirmed.verdict})", box=None, pad_edge=False)
    table.add_column("predicted", justify="right")
    table.add_column("measured", justify="right")
    for name, (predicted, measured) in confirmed.figures.items():
        told = "–" if measured is None else f"{measured:.3g}"
        table.add_row(name, f"{predicted:.3g}", told)
    table.caption = "\n".join((*confirmed.reasons, confirmed.run_dir))
    table.caption_justify = "left"
    return table


def _figures(predicted: Outcome, metrics: dict[str, Any]) -> dict[str, tuple[float, float | None]]:
    busiest = metrics.get("max_link_utilisation", {}).get("mean")
    return {
        "busiest link (%)": (100 * predicted.max_utilisation, busiest and 100 * busiest),
        "delay, mean (ms)": (predicted.mean_delay_ms, metrics.get("latency_ms", {}).get("mean")),
        "lost (%)": (predicted.loss_percent, metrics.get("error_rate_percent")),
    }

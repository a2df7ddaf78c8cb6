"""Lost telemetry on packets: whole runs under the twin policy, with the VAE and without it.

The same playbook, seed and losses, filled once by the VAE and once by the last known values; beside
them a run that loses nothing. The TE ratio is that of the ports; the twin's accuracy is how far the
delays that it expects are off those of the probes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path

import msgspec
import yaml

from benchmarks.measured_run import measured_run
from benchmarks.parts import Part, Verdict
from playbooks.preparation import Prepared, Request, prepare
from results.analysis import analyse
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import Target, at_most
from twin.telemetry_loss import Silent

_RATE_MBPS, _FULL = 8, 1.2
_STEP_S, _STEPS, _FROM_STEP = 5, 10, 2
_STRETCH_S = 3 * _STEP_S

SILENT: tuple[Silent, ...] = ("counters", "switches")
FILLED_BY = ("last-value", "vae")
WHOLE = "on packets, nothing lost"


class Figures(msgspec.Struct, frozen=True):
    """Of one run, valid or degraded."""

    te_ratio: float | None
    """Mean over the measured steps."""
    delay_off_percent: float | None
    """MAPE of the delays that the twin expects, against probes."""
    error_rate_percent: float | None
    delays_compared: int
    """Pairs and intervals."""
    reroutes: int
    verdict: str


def name_of(silent: Silent, filled_by: str) -> str:
    """What a run is called."""
    return f"on packets, 30 % of {silent} lost, {filled_by}"


def parts(topology: str, history: Path | None, seed: int, share: float) -> Iterator[Part]:
    """The runs; judged by those that the VAE has filled."""
    found: dict[str, Figures] = {}

    def measured(name: str, silent: Silent, filled_by: str, lost: float) -> Figures:
        found[name] = _run(_playbook(topology, silent, filled_by, lost), seed, history)
        return found[name]

    yield Part(WHOLE, partial(measured, WHOLE, "switches", "vae", 0.0), lambda _: Verdict())
    for silent, filled_by in product(SILENT, FILLED_BY):
        name = name_of(silent, filled_by)
        judge = partial(_judged, found, silent) if filled_by == FILLED_BY[-1] else _unjudged
        yield Part(name, partial(measured, name, silent, filled_by, share), judge)


def _unjudged(_: object) -> Verdict:
    return Verdict()


def _judged(found: Mapping[str, Figures], silent: Silent, vae: Figures | None) -> Verdict:
    """Not worse than without the VAE."""
    plain, whole = found.get(name_of(silent, FILLED_BY[0])), found.get(WHOLE)
    targets = []
    beside: dict[str, dict[str, float | None]] = {"last value": {}, "nothing lost": {}}
    for figure, title, unit in (
        ("te_ratio", "TE ratio", ""),
        ("delay_off_percent", "twin's delay error", "%"),
    ):
        name = f"{title}, {name_of(silent, 'vae')}"
        bound, measured = getattr(plain, figure, None), getattr(vae, figure, None)
        targets.append(_no_worse(name, bound, measured, unit))
        beside["last value"][name] = bound
        beside["nothing lost"][name] = getattr(whole, figure, None)
    return Verdict(targets, beside)


def _no_worse(name: str, bound: float | None, measured: float | None, unit: str) -> Target:
    if bound is None:
        return Target(name, "<= that of the last value", measured, unit, met=False)
    return at_most(name, bound, measured, unit)


def _run(playbook: Mapping[str, object], seed: int, history: Path | None) -> Figures:
    def prepared(folder: Path) -> Prepared:
        file = folder / "telemetry-loss.yaml"
        file.write_text(yaml.safe_dump(dict(playbook)))
        return prepare(Request(file, "twin", seed, folder, history=history), lambda *_: None)

    summary = measured_run(prepared, analyse)
    if not summary.valid:
        raise MeasurementError("; ".join(summary.reasons))
    return Figures(
        te_ratio=summary.metrics.get("te_ratio", {}).get("mean"),
        delay_off_percent=summary.metrics.get("twin_latency_mape_percent"),
        error_rate_percent=summary.metrics.get("error_rate_percent"),
        delays_compared=(summary.details.get("twin_delay") or {}).get("comparisons", 0),
        reroutes=len(summary.details.get("decisions", ())),
        verdict=summary.verdict,
    )


def _playbook(topology: str, silent: Silent, filled_by: str, lost: float) -> dict[str, object]:
    return {
        "name": "telemetry-loss",
        "title": "What the twin is not told",
        "topology": {"use": topology, "rate_mbps": _RATE_MBPS, "queue_packets": 100},
        "traffic": {
            "kind": "peak",
            "interval_s": _STEP_S,
            "steps": _STEPS,
            "shortest_path_mlu": _FULL,
        },
        "measure": {"from_step": _FROM_STEP},
        "probes": {"latency": {"pairs": 8, "spacing_ms": 50}, "outage": {"pairs": 0}},
        "telemetry": {
            "lost_percent": 100 * lost,
            "silent": silent,
            "stretch_s": _STRETCH_S,
            "filled_by": filled_by,
        },
    }

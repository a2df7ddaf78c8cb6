"""The summary of a run: what `summary.json` holds, and a report is made from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from results.run_directory import Manifest, RunDirectory
from results.validity import Level
from topologies.model import Topology


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """`summary.json`: what a run says. A metric that was not measured is absent."""

    run: str
    playbook: str
    policy: str
    protection: str = "none"
    """Who leads packets round a failure before the controller does."""
    seed: int
    verdict: Level
    valid: bool
    """Whether it is a result: valid or degraded."""
    reasons: tuple[str, ...]
    """Why it is invalid."""
    warnings: tuple[str, ...]
    """Why it is degraded."""
    metrics: dict[str, Any]
    """The headline figures, named as in docs and playbooks."""
    details: dict[str, Any]
    """What stands behind them: notes, distributions, series over time (times are seconds after
    measuring began)."""

    @property
    def under(self) -> str:
        """What it was run under, in words."""
        return self.policy if self.protection == "none" else f"{self.policy} with {self.protection}"

    def document(self) -> dict[str, Any]:
        """Return the summary as plain values without its details, as `--json` prints it."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        del document["details"]
        return document


@dataclass(frozen=True)
class ReportedRun:
    """A run and what its summary says."""

    manifest: Manifest
    topology: Topology
    summary: Summary


def reported_run(run_dir: RunDirectory, summary: Summary) -> ReportedRun:
    """Put a summary together with what was run."""
    return ReportedRun(run_dir.read_manifest(), run_dir.read_topology(), summary)


def plain(value: Any) -> Any:
    """Return JSON's own types, floats to six significant digits, undefined ones as None."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value

"""What the supervisor of a lab has to do, with every open choice of the playbook settled.

Times are seconds after the start of the traffic. Nodes are named by their canonical names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from controller.messages import Route
from results.fault_events import FaultKind
from testbed.faults import Fault
from testbed.probes import ProbePlan
from topologies.paths import Weight
from twin.telemetry_loss import TelemetryLoss

ProtectionMode = Literal["none", "fast-failover", "bfd"]
"""Whether the switches themselves lead packets round a failure, by precomputed detours: where a
port has lost carrier, or wherever BFD on every link misses its neighbour."""

PLAN_FILE = "plan.json"


class Breakdown(msgspec.Struct, frozen=True, tag="breakdown"):
    """A fault of the network, that holds from `at_s` for `for_s`, or to the end."""

    at_s: float
    kind: FaultKind
    fault: Fault
    for_s: float | None = None
    over_s: float = 0.0
    """How long it takes to reach its full extent; only a degradation comes gradually."""


class ControlOutage(msgspec.Struct, frozen=True, tag="control-outage"):
    """A switch forwards on, but the controller cannot reach it: a gap in the telemetry."""

    at_s: float
    switch: str
    for_s: float


class ControllerCrash(msgspec.Struct, frozen=True, tag="controller-crash"):
    """The controller is killed; a new one is started `for_s` later."""

    at_s: float
    for_s: float


class TwinCrash(msgspec.Struct, frozen=True, tag="twin-crash"):
    """The twin is killed; a new one is started `for_s` later."""

    at_s: float
    for_s: float


class Flood(msgspec.Struct, frozen=True, tag="flood"):
    """The attack that the schedule carries, marked on the timeline."""

    at_s: float
    for_s: float
    victim: str
    sources: tuple[str, ...]


Action = Breakdown | ControlOutage | ControllerCrash | TwinCrash | Flood


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`plan.json` of the run directory."""

    policy: str
    weight: Weight
    """Of the shortest paths."""
    backend: str
    interval_s: float
    duration_s: float
    measure_from_s: float
    actions: tuple[Action, ...]
    probes: tuple[ProbePlan, ...]
    forecaster: str
    """File of the trained weights."""
    imputer: str
    """Reference of the plug-in that fills telemetry gaps; none: the last known values."""
    calibration: str = ""
    """File of the model's residual; none: theory alone."""
    telemetry_loss: TelemetryLoss | None = None
    """What the twin is not told."""
    protection: ProtectionMode = "none"
    routes: tuple[Route, ...] = ()
    """Placed before the workload; the other pairs go by shortest paths."""


def write_plan(plan: Plan, run_dir: Path) -> None:
    """Write `plan.json`."""
    (run_dir / PLAN_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(plan)))


def read_plan(run_dir: Path) -> Plan:
    """Read `plan.json`."""
    return msgspec.json.decode((run_dir / PLAN_FILE).read_bytes(), type=Plan)

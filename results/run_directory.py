"""The run directory: which files a run leaves, and how to append to and read them.

Everything that happens is appended while it happens, one JSON document per line, so that a run
that was killed still holds all that was recorded until then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from results.bounds import Bounds
from topologies.model import Topology

T = TypeVar("T")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`run.json`: what was run, on what."""

    run: str
    playbook: str
    policy: str
    protection: str = "none"
    """Who leads packets round a failure before the controller does."""
    seed: int
    started_at: str
    """ISO 8601, UTC."""
    realtime_minus_monotonic_s: float
    """Add this to a CLOCK_MONOTONIC time to get Unix time."""
    interval_s: float
    backend: str
    versions: Mapping[str, str]
    bounds: Bounds = Bounds()
    """How far its fidelity may be off."""
    notes: tuple[str, ...] = ()
    """What to know when reading its figures."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """`events.jsonl`: one thing that happened, by name, with its details.

    Names, with their details (`stated_s` beside them: when the timeline wanted it):

    - traffic-start: step 0 of the schedule begins
    - lab-starting, lab-ready, measure-start, measure-end, traffic-end, lab-stopping,
      lab-stopped, interrupted
    - converged: `{"after_s": s}`, a network without a controller has found all paths
    - link-down, link-up, flap-down, flap-up: `{"link": [a, b]}`, at the instant of the fault, as
      all that follow
    - end-down, end-up: `{"link": [a, b], "end": a}`
    - silent-start, silent-end: `{"link": [a, b]}`, and `"from": a` if only what a sends is lost
    - degrade-start, degrade-end: `{"link": [a, b], "over_s": s}` and those of
      `loss_percent`, `delay_ms` and `rate_bps` that change
    - switch-crash, switch-restart: `{"switch": name}`; host-crash, host-restart: `{"host": name}`
    - control-outage-start, control-outage-end: `{"switch": name}`
    - controller-crash, controller-restart; twin-crash, twin-crash-end (a new one is started)
    - flood-start, flood-end: `{"victim": host, "sources": [host, ...]}`
    - problem (something that makes the run invalid): `{"reason": text}`
    """

    t_s: float
    event: str
    detail: dict[str, Any] = {}


@dataclass(frozen=True)
class RunDirectory:
    """Paths and readers of one run."""

    path: Path

    @property
    def manifest(self) -> Path:
        """What was run, on what."""
        return self.path / "run.json"

    @property
    def playbook(self) -> Path:
        """The playbook with every default filled in."""
        return self.path / "playbook.yaml"

    @property
    def topology(self) -> Path:
        """The network with every default filled in."""
        return self.path / "topology.json"

    @property
    def schedule(self) -> Path:
        """The requested traffic."""
        return self.path / "schedule.npz"

    @property
    def events(self) -> Path:
        """What happened, in order."""
        return self.path / "events.jsonl"

    @property
    def telemetry(self) -> Path:
        """Every northbound message of the controller; without one, what was observed."""
        return self.path / "telemetry.jsonl"

    @property
    def twin(self) -> Path:
        """Forecasts, predictions, decisions, alarms and their outcomes."""
        return self.path / "twin.jsonl"

    @property
    def traffic(self) -> Path:
        """What iperf sent and received."""
        return self.path / "traffic.jsonl"

    @property
    def probes(self) -> Path:
        """The probe streams."""
        return self.path / "probes.jsonl"

    @property
    def fidelity(self) -> Path:
        """How well the machine carried the lab."""
        return self.path / "fidelity.jsonl"

    @property
    def tables(self) -> Path:
        """What the switches held at the end: flows and groups."""
        return self.path / "tables.json"

    @property
    def links(self) -> Path:
        """What the links did."""
        return self.path / "links.jsonl"

    @property
    def idle(self) -> Path:
        """The check of every link and path before the workload."""
        return self.path / "idle.jsonl"

    @property
    def summary(self) -> Path:
        """The metrics and the verdict."""
        return self.path / "summary.json"

    @property
    def report(self) -> Path:
        """The self-contained HTML report."""
        return self.path / "report.html"

    @property
    def socket(self) -> Path:
        """The controller's northbound socket, while the lab runs."""
        return self.path / "northbound.sock"

    @property
    def logs(self) -> Path:
        """Log files of the lab's processes."""
        return self.path / "logs"

    def read_manifest(self) -> Manifest:
        """Read `run.json`."""
        return msgspec.json.decode(self.manifest.read_bytes(), type=Manifest)

    def read_topology(self) -> Topology:
        """Read `topology.json`."""
        return msgspec.json.decode(self.topology.read_bytes(), type=Topology)

    def write_topology(self, topology: Topology) -> None:
        """Write `topology.json`."""
        self.topology.write_bytes(msgspec.json.encode(topology))

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write `summary.json`."""
        self.summary.write_text(json.dumps(summary, indent=2) + "\n")


def read_lines(path: Path, kind: type[T]) -> Iterator[T]:
    """Every complete line of a JSON Lines file as `kind`; a missing file holds none.

    A last line without its newline was cut off by the death of its writer and is left out.

    Raises:
        msgspec.DecodeError: a complete line is not a `kind`.
    """
    if not path.exists():
        return
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield decoder.decode(line)

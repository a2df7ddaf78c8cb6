"""Everything a run wrote down, read into memory: all that the analysis knows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from controller.messages import FromController
from generators.records import Received, Segment, TrafficRecord
from generators.schedule import Schedule, ScheduleFileError
from results.run_directory import Event, Manifest, RunDirectory, read_lines
from results.timeline import Window, measured_window
from testbed.modes import is_mode
from testbed.records import FidelitySample, IdleCheck, LinksSample, ProbeStream
from topologies.model import Topology
from twin.records import TwinRecord

T = TypeVar("T")


class NotARunError(Exception):
    """A directory that holds no run; the message says what is missing."""


@dataclass(frozen=True)
class Recording:
    """The records of one run, in the order in which they were written."""

    manifest: Manifest
    topology: Topology
    schedule: Schedule | None
    events: tuple[Event, ...]
    telemetry: tuple[FromController, ...]
    twin: tuple[TwinRecord, ...]
    segments: tuple[Segment, ...]
    received: tuple[Received, ...]
    probes: tuple[ProbeStream, ...]
    fidelity: tuple[FidelitySample, ...]
    links: tuple[LinksSample, ...]
    idle: tuple[IdleCheck, ...]
    window: Window | None
    """The measured window; up to the last packets received where the run ended early."""
    notes: tuple[str, ...]
    """The run's own, and what was missing or unreadable."""

    @property
    def workload(self) -> tuple[Received, ...]:
        """What arrived of the workload, without the attacks."""
        return tuple(record for record in self.received if not record.attack)

    @property
    def datagrams(self) -> tuple[Received, ...]:
        """What arrived of the workload's UDP: TCP tells no delays and loses nothing."""
        return tuple(record for record in self.workload if record.transport == "udp")

    @property
    def complete(self) -> bool:
        """Whether the run reached the end of its measured window."""
        return any(event.event == "measure-end" for event in self.events)


def load_recording(directory: RunDirectory) -> Recording:
    """Read a run directory. Files that are missing or break off give what they hold, and a note.

    Raises:
        NotARunError: there is no readable `run.json` or `topology.json`.
    """
    manifest = _required(directory.manifest, directory.read_manifest)
    notes: list[str] = [*manifest.notes]
    topology = _required(directory.topology, directory.read_topology)
    events: list[Event] = sorted(
        _lines(directory.events, Event, notes), key=lambda event: event.t_s
    )
    telemetry: tuple[FromController, ...] = _lines(directory.telemetry, FromController, notes)
    has_twin = directory.twin.exists() or not is_mode(manifest.policy)
    twin: tuple[TwinRecord, ...] = _lines(directory.twin, TwinRecord, notes) if has_twin else ()
    traffic: tuple[TrafficRecord, ...] = _lines(directory.traffic, TrafficRecord, notes)
    probes: tuple[ProbeStream, ...] = _lines(directory.probes, ProbeStream, notes)
    fidelity: tuple[FidelitySample, ...] = _lines(directory.fidelity, FidelitySample, notes)
    links: tuple[LinksSample, ...] = _lines(directory.links, LinksSample, notes)
    idle: tuple[IdleCheck, ...] = _lines(directory.idle, IdleCheck, notes)
    received = tuple(record for record in traffic if isinstance(record, Received))
    return Recording(
        manifest=manifest,
        topology=topology,
        schedule=_schedule(directory.schedule, notes),
        events=tuple(events),
        telemetry=telemetry,
        twin=twin,
        segments=tuple(record for record in traffic if isinstance(record, Segment)),
        received=received,
        probes=probes,
        fidelity=fidelity,
        links=links,
        idle=idle,
        window=measured_window(events, _last_s(received, events, telemetry)),
        notes=tuple(notes),
    )


def _last_s(
    received: Iterable[Received], events: Iterable[Event], telemetry: Iterable[FromController]
) -> float:
    """Return up to when the run is known: to the last packets received, else the last record."""
    arrived_s = max((record.end_s for record in received if not record.attack), default=None)
    others_s = max((record.t_s for record in (*events, *telemetry)), default=0.0)
    return others_s if arrived_s is None else arrived_s


def _required(path: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except FileNotFoundError:
        raise NotARunError(f"{path.parent}: not a run directory (no {path.name})") from None
    except (OSError, msgspec.DecodeError) as error:
        raise NotARunError(f"{path}: cannot be read ({error})") from None


def _lines(path: Path, kind: Any, notes: list[str]) -> tuple[Any, ...]:
    """Read what can be read; `kind` is a type, or a union of tagged ones."""
    records: list[Any] = []
    if not path.exists():
        notes.append(f"{path.name} is missing")
    try:
        records.extend(read_lines(path, kind))
    except (OSError, msgspec.DecodeError) as error:
        notes.append(f"{path.name}: only the first {len(records)} records are readable ({error})")
    return tuple(records)


def _schedule(path: Path, notes: list[str]) -> Schedule | None:
    try:
        return Schedule.load(path)
    except ScheduleFileError as error:
        notes.append(f"{path.name} is missing or not readable ({error.__cause__})")
        return None

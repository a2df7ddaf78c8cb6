"""When what happened: the measured window, the faults, the floods, from a run's events."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from results.fault_events import (
    BEGINS,
    ENDS,
    FAULT_KINDS,
    KIND_OF,
    FaultKind,
    dead_directions,
    hit_directions,
)
from results.run_directory import Event
from topologies.model import DirectedLink, Topology

FloatArray = npt.NDArray[np.float64]

ENDED_BY: Mapping[str, str] = {
    **{BEGINS[kind]: ENDS[kind] for kind in FAULT_KINDS},
    "control-outage-start": "control-outage-end",
    "controller-crash": "controller-restart",
    "twin-crash": "twin-crash-end",
    "flood-start": "flood-end",
}
"""The event that ends what another one began."""

TIMELINE_EVENTS = frozenset(ENDED_BY) | frozenset(ENDED_BY.values())
"""What a playbook does to the network while it is measured."""

_MOMENT_S = 0.05
"""Events so close to each other are one act of the timeline."""


@dataclass(frozen=True)
class Window:
    """The time span [start_s, end_s)."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        """Its length."""
        return self.end_s - self.start_s

    def holds(self, t_s: float) -> bool:
        """Whether an instant lies in it."""
        return self.start_s <= t_s < self.end_s

    def covers(self, start_s: float, end_s: float) -> bool:
        """Whether all of another span lies in it."""
        return self.start_s <= start_s and end_s <= self.end_s

    def overlap_s(self, start_s: float, end_s: float) -> float:
        """How much of another span lies in it."""
        return max(0.0, min(self.end_s, end_s) - max(self.start_s, start_s))

    def share(self, start_s: float, end_s: float) -> float:
        """Which share of another span lies in it; an empty span counts as its start."""
        if end_s <= start_s:
            return float(self.holds(start_s))
        return self.overlap_s(start_s, end_s) / (end_s - start_s)

    def edges(self, step_s: float) -> FloatArray:
        """Instants that cut it into whole steps from its start; a rest at the end is left out."""
        steps = int(self.duration_s / step_s + 1e-6)
        return self.start_s + step_s * np.arange(steps + 1, dtype=np.float64)


@dataclass(frozen=True)
class Failure:
    """A fault of the network, and the time until the timeline did anything else."""

    kind: FaultKind
    subject: Mapping[str, Any]
    """What it is about, e.g. `{"link": [a, b]}`."""
    directions: frozenset[DirectedLink]
    """Those that it hits, access links too."""
    at_s: float
    until_s: float


@dataclass(frozen=True)
class Flood:
    """A volumetric attack on one victim."""

    victim: str
    sources: tuple[str, ...]
    start_s: float
    end_s: float


def measured_window(events: Iterable[Event], last_s: float) -> Window | None:
    """Return measure-start to measure-end, or to `last_s` where the run ended before that.

    None if measuring never began. `last_s` is up to when there are records.
    """
    at = {event.event: event.t_s for event in events}
    if "measure-start" not in at:
        return None
    return Window(at["measure-start"], at.get("measure-end", max(last_s, at["measure-start"])))


def traffic_start_s(events: Iterable[Event]) -> float | None:
    """Return when step 0 of the schedule began; None if it never did."""
    return next((event.t_s for event in events if event.event == "traffic-start"), None)


def failures(events: Sequence[Event], topology: Topology, window: Window) -> tuple[Failure, ...]:
    """Return the faults that began in `window`, each with the time of undisturbed recovery."""
    acts = [e for e in events if e.event in TIMELINE_EVENTS and window.holds(e.t_s)]

    def next_act_s(at_s: float) -> float:
        return min((e.t_s for e in acts if e.t_s > at_s + _MOMENT_S), default=window.end_s)

    return tuple(
        Failure(
            kind,
            subject(event),
            hit_directions(kind, event.detail, topology),
            event.t_s,
            next_act_s(event.t_s),
        )
        for event in acts
        if (kind := KIND_OF.get(event.event)) and event.event == BEGINS[kind]
    )


def surviving_spans(
    events: Iterable[Event], topology: Topology, window: Window
) -> Iterator[tuple[Window, frozenset[DirectedLink]]]:
    """Cut `window` where faults began and ended; give what is dead in each piece.

    Dead are the directions over which nothing passes, access links too.
    """
    changes = [e for e in events if e.event in KIND_OF and e.t_s < window.end_s]
    cuts = sorted({window.start_s, window.end_s, *(max(e.t_s, window.start_s) for e in changes)})
    for start_s, end_s in pairwise(cuts):
        yield Window(start_s, end_s), _dead_at(changes, topology, start_s)


def floods(events: Sequence[Event], end_s: float) -> tuple[Flood, ...]:
    """Return the floods in order; one that was still going on lasts until `end_s`."""
    return tuple(
        Flood(
            str(event.detail["victim"]),
            tuple(map(str, event.detail["sources"])),
            event.t_s,
            ended_s(event, events, end_s),
        )
        for event in events
        if event.event == "flood-start"
    )


def ended_s(begun: Event, events: Iterable[Event], otherwise_s: float = math.inf) -> float:
    """Return when what `begun` tells of was over; `otherwise_s` if none of `events` says so."""
    ends = (e for e in events if e.event == ENDED_BY[begun.event] and e.t_s > begun.t_s)
    return next((e.t_s for e in ends if subject(e) == subject(begun)), otherwise_s)


def subject(event: Event) -> dict[str, Any]:
    """Return what an event is about: its details without the time it was planned for."""
    return {name: value for name, value in event.detail.items() if name != "stated_s"}


def _dead_at(changes: Iterable[Event], topology: Topology, t_s: float) -> frozenset[DirectedLink]:
    """Faults overlap: a direction is dead until the last of them has ended."""
    faults: Counter[DirectedLink] = Counter()
    for event in changes:
        if event.t_s > t_s:
            break
        kind = KIND_OF[event.event]
        dead = dead_directions(kind, event.detail, topology)
        if event.event == BEGINS[kind]:
            faults.update(dead)
        else:
            faults.subtract(dead)
    return frozenset((+faults).keys())

"""Moves of routes: what is installed of one, what it leaves behind, what became of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controller.flow_entries import FlowEntry, RouteEntries
from controller.flows import Routed
from topologies.model import Way
from topologies.splits import paths_of

Obstacle = Callable[[Way], "str | None"]
"""Says why a way cannot be used just now, or None."""


@dataclass(frozen=True)
class InstalledRoute:
    """The route of one pair or flow."""

    way: Way
    entries: RouteEntries

    @property
    def requested(self) -> bool:
        """Whether a client put it there, so that it stays while it lives."""
        return self.entries.ingress.requested


@dataclass(frozen=True)
class Leftovers:
    """Entries that new packets use no more, and how long those under way may need them."""

    entries: tuple[FlowEntry, ...] = ()
    drain_s: float = 0.0

    def __add__(self, other: Leftovers) -> Leftovers:
        return Leftovers(self.entries + other.entries, max(self.drain_s, other.drain_s))


@dataclass(frozen=True)
class Moved:
    """What became of a batch of moves, and when each phase was confirmed by barriers."""

    applied: Mapping[Routed, Way]
    failed: Mapping[Routed, str]
    installed_s: float
    switched_s: float
    leftovers: Leftovers

    def __add__(self, later: Moved) -> Moved:
        return Moved(
            {**self.applied, **later.applied},
            {**self.failed, **later.failed},
            self.installed_s,
            later.switched_s,
            self.leftovers + later.leftovers,
        )


def failures(
    routes: Mapping[Routed, InstalledRoute], lost: Mapping[str, str], obstacle: Obstacle
) -> dict[Routed, str]:
    """The moves that must not go on: a switch did not confirm, or something has just died."""
    failed: dict[Routed, str] = {}
    for pair, route in routes.items():
        switches = (switch for path in paths_of(route.way) for switch in path)
        unconfirmed = (f"{switch} {lost[switch]}" for switch in switches if switch in lost)
        if reason := next(unconfirmed, None) or obstacle(route.way):
            failed[pair] = reason
    return failed

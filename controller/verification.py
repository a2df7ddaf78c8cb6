"""Does every pair stay connected, in every state that the switches have to bear by themselves?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from controller.flow_entries import FlowEntry
from controller.forwarding import (
    Failure,
    Forwarding,
    LostError,
    dead_links,
    single_failures,
)
from controller.groups import Group
from topologies.model import DirectedLink, OdPair, Topology
from topologies.paths import shortest_paths


@dataclass(frozen=True)
class Breach:
    """A pair that does not get through, though the network as it is then could connect it."""

    state: str
    pair: OdPair
    reason: str


@dataclass(frozen=True)
class Verified:
    """The outcome: walks made, in how many states, and all that did not arrive."""

    states: int
    walks: int
    breaches: tuple[Breach, ...]


def verify(
    topology: Topology,
    entries: Iterable[FlowEntry],
    groups: Iterable[Group],
    dead: frozenset[DirectedLink] = frozenset(),
    failing: bool = True,
) -> Verified:
    """Walk a packet of every pair, as it is and (`failing`) in every single failure besides.

    Args:
        topology: the network.
        entries: of all switches.
        groups: of all switches.
        dead: links that are down, both directions each.
        failing: whether the switches have to bear failures by themselves.
    """
    forwarding = Forwarding(topology, entries, groups)
    states = {"as it was": Failure(links=dead)}
    if failing:
        states.update(single_failures(topology))
    walks = 0
    breaches: list[Breach] = []
    for state, failure in states.items():
        for pair in _connectable(topology, failure):
            walks += 1
            try:
                forwarding.walk(pair, failure)
            except LostError as lost:
                breaches.append(Breach(state, pair, str(lost)))
    return Verified(len(states), walks, tuple(breaches))


def _connectable(topology: Topology, failure: Failure) -> Iterator[OdPair]:
    """The pairs that some path leads between, and whose own switches live."""
    paths = shortest_paths(topology, down=dead_links(topology, failure))
    for pair, path in paths.items():
        if failure.switches.isdisjoint(path):
            yield pair

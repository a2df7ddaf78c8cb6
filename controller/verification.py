"""Does every pair stay connected, in every state that the switches have to bear by themselves?

All pairs but those that a policy denies: these must be denied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial

from controller.flow_entries import IP_PROTOCOLS, FlowEntry
from controller.forwarding import (
    DeniedError,
    Failure,
    Forwarding,
    LostError,
    dead_links,
    single_failures,
)
from controller.groups import Group
from controller.meters import Meter
from topologies.model import DirectedLink, OdPair, Topology
from topologies.paths import shortest_paths
from topologies.policies import is_denied, kinds_of_traffic


@dataclass(frozen=True)
class Breach:
    """A pair that does not get through, though the network as it is then could connect it, or
    that gets through though a policy denies it."""

    state: str
    pair: OdPair
    reason: str


@dataclass(frozen=True)
class Verified:
    """The outcome: walks made, in how many states, and all that went wrong."""

    states: int
    walks: int
    denied: int
    """Walks that a policy ended, as it should."""
    breaches: tuple[Breach, ...]


def verify(
    topology: Topology,
    entries: Iterable[FlowEntry],
    groups: Iterable[Group],
    meters: Iterable[Meter] = (),
    dead: frozenset[DirectedLink] = frozenset(),
    failing: bool = True,
) -> Verified:
    """Walk packets of every pair, as it is and (`failing`) in every single failure besides.

    There is one packet for each IP version, each kind of traffic that the policies tell apart, each
    flow that has a path of its own, and each value of the hash that chooses a path of a split.

    Args:
        topology: the network.
        entries: of all switches.
        groups: of all switches.
        meters: of all switches.
        dead: links that are down, both directions each.
        failing: whether the switches have to bear failures by themselves.
    """
    forwarding = Forwarding(topology, entries, groups, meters)
    states = {"as it was": Failure(links=dead)}
    if failing:
        states.update(single_failures(topology))
    kinds = [
        (traffic, eth_type) for traffic in kinds_of_traffic(topology) for eth_type in IP_PROTOCOLS
    ]
    denies = cache(partial(is_denied, topology))
    walks = denied = 0
    breaches: list[Breach] = []
    for state, failure in states.items():
        for pair in _connectable(topology, failure):
            for traffic, eth_type in kinds:
                for packet in forwarding.kinds(pair, traffic, eth_type):
                    walks += 1
                    deny = denies(pair, packet.traffic)
                    denied += deny
                    try:
                        forwarding.follow(packet, failure)
                    except DeniedError as error:
                        reason = "" if deny else str(error)
                    except LostError as lost:
                        reason = str(lost)
                    else:
                        reason = "it arrives, but a policy denies it" if deny else ""
                    if reason:
                        breaches.append(Breach(state, pair, reason))
    return Verified(len(states), walks, denied, tuple(breaches))


def _connectable(topology: Topology, failure: Failure) -> Iterator[OdPair]:
    """The pairs that some path leads between, and whose own switches live."""
    paths = shortest_paths(topology, down=dead_links(topology, failure))
    for pair, path in paths.items():
        if failure.switches.isdisjoint(path):
            yield pair

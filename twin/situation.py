"""A network at one instant, and what else it might be: the questions of what-if."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from topologies.model import (
    DirectedLink,
    Link,
    LinkShape,
    OdPair,
    Policy,
    Switch,
    Topology,
    Way,
    Ways,
)
from topologies.paths import Weight, path_directions, shortest_paths
from topologies.policies import Traffic, deciding, is_denied
from topologies.splits import paths_of
from twin.indexing import FloatArray

_FLOOD = Traffic("udp")


@dataclass(frozen=True)
class Situation:
    """A network with its traffic. Nothing here touches a lab."""

    topology: Topology
    """As configured: the controller's paths go by it."""
    weight: Weight
    """What makes a path long for the controller."""
    routing: Ways
    """Pairs that cannot be connected are absent."""
    od_bps: FloatArray
    """(pairs,) what each pair sends, in the order of `Topology.od_pairs`."""
    down: frozenset[DirectedLink] = frozenset()
    """Dead core links, both directions of each."""
    shapes: Mapping[DirectedLink, LinkShape] = field(default_factory=dict)
    """What core links are like that are not as configured, by their ends as in `Topology.links`."""
    tcp_pairs: frozenset[OdPair] = frozenset()
    """Those that send TCP, which gives way where links are full."""

    @property
    def as_it_is(self) -> Topology:
        """The network with the links that it really has."""
        links = (
            replace(link, shape=self.shapes.get((link.a, link.b), link.shape))
            for link in self.topology.links
        )
        return replace(self.topology, links=tuple(links)) if self.shapes else self.topology


@dataclass(frozen=True)
class Attack:
    """A flood upon one host."""

    victim: str
    rate_bps: float
    """Of all sources together."""
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Scenario:
    """What might happen: everything at once, with canonical names."""

    fail_links: tuple[DirectedLink, ...] = ()
    fail_switches: tuple[str, ...] = ()
    add_links: tuple[Link, ...] = ()
    add_switches: tuple[Switch, ...] = ()
    scale: float = 1.0
    scale_pairs: tuple[tuple[OdPair, float], ...] = ()
    """Besides `scale`."""
    attacks: tuple[Attack, ...] = ()


def after(situation: Situation, scenario: Scenario) -> Situation:
    """The situation once the scenario has come true and the controller has restored the routes.

    The controller moves the pairs that a failure cuts, and those on shortest paths if there are
    shorter ones now, as `controller.router` does.
    """
    before = situation.topology
    topology = replace(
        before,
        switches=(*before.switches, *scenario.add_switches),
        links=(*before.links, *scenario.add_links),
    )
    down = situation.down | _failed(topology, scenario)
    return replace(
        situation,
        topology=topology,
        routing=_restored(situation, topology, down, frozenset(scenario.fail_switches)),
        od_bps=_traffic(situation, scenario),
        down=down,
    )


def _failed(topology: Topology, scenario: Scenario) -> frozenset[DirectedLink]:
    gone = set(scenario.fail_switches)
    links = {hop for a, b in scenario.fail_links for hop in ((a, b), (b, a))}
    return frozenset(links | {hop for hop in topology.core_directions if not gone.isdisjoint(hop)})


def _restored(
    situation: Situation,
    topology: Topology,
    down: frozenset[DirectedLink],
    gone: frozenset[str],
) -> Ways:
    usual = shortest_paths(situation.topology, situation.weight, situation.down)
    shortest = shortest_paths(topology, situation.weight, down)
    routing: dict[OdPair, Way] = {}
    for pair, path in shortest.items():
        now = situation.routing.get(pair)
        placed = now is not None and now != usual.get(pair)
        if not gone.isdisjoint(path):
            continue  # its own switch is gone
        crossed = {hop for path in paths_of(now or ()) for hop in path_directions(path)}
        if now is not None and placed and down.isdisjoint(crossed):
            routing[pair] = now
        else:
            routing[pair] = path
    return routing


def _traffic(situation: Situation, scenario: Scenario) -> FloatArray:
    number = {pair: index for index, pair in enumerate(situation.topology.od_pairs)}
    od_bps = situation.od_bps * scenario.scale
    for pair, factor in scenario.scale_pairs:
        od_bps[number[pair]] *= factor
    for attack in scenario.attacks:
        for source in attack.sources:
            pair = source, attack.victim
            if not is_denied(situation.topology, pair, _FLOOD):
                od_bps[number[pair]] += attack.rate_bps / len(attack.sources)
    return admitted(situation.topology, od_bps, situation.tcp_pairs)


def admitted(
    topology: Topology, od_bps: FloatArray, tcp_pairs: Collection[OdPair] = ()
) -> FloatArray:
    """(pairs,) what the network's limits let in of what the pairs send.

    A limit holds all that enters at one switch under its policy, each pair in proportion. What is
    denied is left to the caller: only measured traffic has passed what denies it.
    """
    held: defaultdict[tuple[str, Policy], list[int]] = defaultdict(list)
    for index, pair in enumerate(topology.od_pairs if topology.policies else ()):
        traffic = Traffic("tcp" if pair in tcp_pairs else "udp")
        policy = deciding(topology, pair, traffic)
        if policy is not None and policy.limit is not None:
            held[topology.switch_of[pair[0]], policy].append(index)
    let_in = np.array(od_bps, dtype=np.float64)
    for (_, policy), pairs in held.items():
        assert policy.limit is not None
        together = let_in[pairs].sum()
        if together > policy.limit.rate_bps:
            let_in[pairs] *= policy.limit.rate_bps / together
    return let_in


def all_failures(topology: Topology, at_once: int) -> tuple[Scenario, ...]:
    """Every failure of one core link or switch, or of two core links at once.

    Raises:
        ValueError: `at_once` is neither 1 nor 2.
    """
    links = [(link.a, link.b) for link in topology.core_links]
    if at_once == 1:
        single = [Scenario(fail_links=(link,)) for link in links]
        return (*single, *(Scenario(fail_switches=(s.name,)) for s in topology.switches))
    if at_once == 2:
        return tuple(
            Scenario(fail_links=(first, second))
            for index, first in enumerate(links)
            for second in links[index + 1 :]
        )
    raise ValueError("failures come singly or in twos")

"""Whatever happens in whatever order, packets are never lost to a change, and all ends well."""

from __future__ import annotations

import random
from itertools import pairwise

import networkx as nx
from fake_network import make_topology
from hypothesis import given, settings
from hypothesis import strategies as st
from router_lab import DRAINED_S, RouterLab

from controller.forwarding import Packet
from controller.messages import Reroute, Route
from topologies.model import Topology
from topologies.paths import k_shortest_paths, shortest_paths


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    """Connected networks with links to spare, with a host on most switches."""
    size = draw(st.integers(3, 7))
    names = [f"s{i}" for i in range(size)]
    edges = {(names[draw(st.integers(0, i - 1))], names[i]) for i in range(1, size)}
    spare = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    edges |= set(draw(st.lists(st.sampled_from(spare), min_size=1, max_size=size)))
    count = draw(st.integers(2, size + 1))
    return make_topology(sorted(edges), {f"h{i}": names[i % size] for i in range(count)})


def some_moves(topology: Topology, choose: random.Random) -> tuple[Route, ...]:
    """Valid moves of some pairs, if no link is down."""
    pairs = choose.sample(topology.od_pairs, choose.randint(1, len(topology.od_pairs)))
    moves = []
    for source, target in pairs:
        ends = topology.switch_of[source], topology.switch_of[target]
        if paths := k_shortest_paths(topology, *ends, k=4):
            moves.append(Route(source, target, choose.choice(paths)))
    return tuple(moves)


@settings(max_examples=60)
@given(topologies(), st.integers(0, 2**32))
def test_planned_reroutes_lose_no_packet(topology: Topology, seed: int) -> None:
    """Packets walk while single entries change: new ones from start to end, and some slow ones
    that move on by one switch per change."""
    choose = random.Random(seed)
    lab = RouterLab(topology, seed=seed).connect_all()
    network = lab.network
    slow: list[Packet] = []

    def watch() -> None:
        slow.append(network.send(choose.choice(topology.od_pairs)))
        slow[:] = [ahead for packet in slow if (ahead := network.forward(packet))]
        lab.walk_all()

    network.on_change = watch
    for _ in range(4):
        lab.ask(Reroute("r", some_moves(topology, choose)))
        while slow:  # the drain outlasts them
            slow[:] = [ahead for packet in slow if (ahead := network.forward(packet))]
        network.pass_time(DRAINED_S)
        slow.clear()
    lab.router.work()


@settings(max_examples=80)
@given(topologies(), st.integers(0, 2**32))
def test_everything_ends_connected_whatever_happens_meanwhile(
    topology: Topology, seed: int
) -> None:
    """Links die and return, switches lose their control channel and return, some of them emptied,
    while reroutes are under way. Afterwards each pair that can be connected is, and when all is
    well again, nothing superfluous is left on any switch."""
    choose = random.Random(seed)
    lab = RouterLab(topology, seed=seed)
    network, router = lab.network, lab.router

    def set_link(a: str, b: str, up: bool) -> None:
        (network.dead.discard if up else network.dead.add)(frozenset((a, b)))
        for ends in choose.sample([(a, b), (b, a)], 2):
            router.set_port(*ends, up=up)

    def connect(name: str) -> None:
        if name not in network.connected:
            network.connected.add(name)
            router.switch_connected(name)

    def disturb() -> None:
        if choose.random() > 0.1:
            return
        link = choose.choice(topology.core_links)
        switch = choose.choice(topology.switches).name
        match choose.randrange(4):
            case 0:
                set_link(link.a, link.b, up=False)
            case 1:
                set_link(link.a, link.b, up=True)
            case 2 if switch in network.connected:
                network.connected.remove(switch)
                router.switch_lost()
            case _:
                connect(switch)

    network.connected.clear()
    for switch in topology.switches:
        connect(switch.name)
    router.work()
    network.on_change = disturb
    for _ in range(6):
        lab.ask(Reroute("r", some_moves(topology, choose)))
        disturb()
        network.pass_time(choose.choice([0.0, 0.1, 5.0]))

    network.on_change = lambda: None
    for switch in topology.switches:
        connect(switch.name)
    router.work()
    down = frozenset(hop for a, b in map(tuple, network.dead) for hop in ((a, b), (b, a)))
    for pair in shortest_paths(topology, down=down):
        assert not down & set(pairwise(network.walk(pair)))

    for link in topology.core_links:
        set_link(link.a, link.b, up=True)
    lab.rest()
    routes = router.installation.routes
    lab.walk_all()
    assert network.entries() == lab.needed_entries()
    for pair, path in shortest_paths(topology).items():
        assert routes[pair].requested or network.walk(pair) == path
    assert nx.is_connected(nx.Graph([(link.a, link.b) for link in topology.core_links]))

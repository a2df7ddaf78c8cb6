"""Random networks, for training and measuring on more than the few that have names."""

from __future__ import annotations

import networkx as nx
import numpy as np

from topologies.model import Host, Link, LinkShape, Switch, Topology

_RATE_BPS = 10e6
_DELAYS_MS = (1.0, 6.0)


def random_network(switches: int, links: int, seed: int) -> Topology:
    """A connected network with a host at each switch and `links` core links of 10 Mbit/s.

    A ring, some of whose links lead elsewhere (D. J. Watts and S. H. Strogatz, "Collective dynamics
    of small-world networks", Nature 393, 1998), and then links between any two.

    Raises:
        ValueError: so many switches cannot be joined by so many links.
    """
    if not switches <= links <= switches * (switches - 1) // 2:
        raise ValueError(f"{switches} switches cannot have {links} links here")
    graph = nx.connected_watts_strogatz_graph(switches, 2, 0.3, seed=seed)
    random = np.random.default_rng(seed)
    while graph.number_of_edges() < links:
        graph.add_edge(*map(int, random.choice(switches, 2, replace=False)))
    names = [(f"s{node}", f"h{node}") for node in sorted(graph)]
    core = [
        Link(f"s{a}", f"s{b}", LinkShape(_RATE_BPS, float(random.uniform(*_DELAYS_MS))))
        for a, b in sorted(graph.edges)
    ]
    access = [Link(host, switch, LinkShape(1e9, 0.0)) for switch, host in names]
    return Topology(
        f"random-{switches}-{links}-{seed}",
        tuple(Switch(switch, switch) for switch, _ in names),
        tuple(Host(host, host, switch) for switch, host in names),
        (*core, *access),
    )

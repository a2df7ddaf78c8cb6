"""Networks that tests build on."""

from __future__ import annotations

import numpy as np

from topologies.model import Host, Link, LinkShape, Switch, Topology
from twin.indexing import FloatArray

RATE_BPS = 10e6


def network(edges: list[tuple[int, int, float]], switches: int, name: str = "test") -> Topology:
    """Switches s1.. with one host h1.. each; edges are (number, number, delay in ms)."""
    core = LinkShape(rate_bps=RATE_BPS, delay_ms=1.0, queue_packets=100)
    access = LinkShape(rate_bps=10 * RATE_BPS, delay_ms=0.1, queue_packets=1000)
    numbers = range(1, switches + 1)
    return Topology(
        name=name,
        switches=tuple(Switch(f"s{n}", f"switch {n}") for n in numbers),
        hosts=tuple(Host(f"h{n}", f"host {n}", f"s{n}") for n in numbers),
        links=(
            *(Link(f"h{n}", f"s{n}", access) for n in numbers),
            *(
                Link(f"s{a}", f"s{b}", LinkShape(core.rate_bps, delay, queue_packets=100))
                for a, b, delay in edges
            ),
        ),
    )


def square() -> Topology:
    """s1 to s3 over s2 (short), over s4 (longer), or over s5 (longest)."""
    return network(
        [(1, 2, 2.0), (2, 3, 2.0), (1, 4, 4.0), (4, 3, 4.0), (1, 5, 6.0), (5, 3, 6.0)], 5
    )


def wheel(rim: int = 8) -> Topology:
    """A rim with a hub in the middle."""
    spokes = [(1, n, 3.0) for n in range(2, rim + 2)]
    around = [(n, n + 1 if n <= rim else 2, 2.0) for n in range(2, rim + 2)]
    return network(spokes + around, rim + 1, "wheel")


def matrix(topology: Topology, od_bps: FloatArray) -> FloatArray:
    """(pairs,) as (hosts, hosts)."""
    hosts = len(topology.hosts)
    square_matrix = np.zeros((hosts, hosts))
    square_matrix[~np.eye(hosts, dtype=bool)] = od_bps
    return square_matrix


def demand(topology: Topology, **rates_mbps: float) -> FloatArray:
    """(pairs,) from h1_h3=4.5 and the like."""
    od_bps = np.zeros(len(topology.od_pairs))
    for pair, rate in rates_mbps.items():
        source, target = pair.split("_")
        od_bps[topology.od_pairs.index((source, target))] = rate * 1e6
    return od_bps

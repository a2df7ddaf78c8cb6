"""Random connected networks with traffic, for properties that must hold on all of them."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from topologies.loads import FloatArray
from topologies.model import Host, Link, LinkShape, Switch, Topology


@st.composite
def networks(draw: st.DrawFn, max_switches: int = 7) -> Topology:
    """A random tree of switches and some links more, with one or two hosts a switch."""
    count = draw(st.integers(2, max_switches))
    pairs = {(draw(st.integers(0, node - 1)), node) for node in range(1, count)}
    every = [(a, b) for b in range(count) for a in range(b)]
    pairs |= draw(st.sets(st.sampled_from(every)))
    shapes = st.builds(
        LinkShape,
        rate_bps=st.sampled_from([1e6, 10e6, 40e6]),
        delay_ms=st.sampled_from([0.0, 0.1, 1.0, 2.5, 7.0]),
    )
    core = [Link(f"s{a + 1}", f"s{b + 1}", draw(shapes)) for a, b in sorted(pairs)]
    at = [*range(count), *draw(st.lists(st.integers(0, count - 1), max_size=2))]
    hosts = tuple(Host(f"h{n}", f"h{n}", f"s{s + 1}") for n, s in enumerate(at, start=1))
    access = [Link(host.name, host.switch, LinkShape(1e9, 0.0)) for host in hosts]
    switches = tuple(Switch(f"s{n + 1}", f"s{n + 1}") for n in range(count))
    return Topology("random", switches, hosts, (*core, *access))


@st.composite
def loaded_networks(draw: st.DrawFn) -> tuple[Topology, FloatArray]:
    """A network and a traffic matrix, from light load to several times what it can carry."""
    topology = draw(networks())
    hosts = len(topology.hosts)
    seed, mean_bps = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([1e4, 1e6, 2e7]))
    rng = np.random.default_rng(seed)
    matrix = rng.exponential(mean_bps, (hosts, hosts)) * (rng.random((hosts, hosts)) < 0.7)
    np.fill_diagonal(matrix, 0.0)
    return topology, matrix

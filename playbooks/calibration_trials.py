"""What is measured for a calibration: random matrices under random routings, by their number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from generators.sampling import MIN_RATE_BPS
from generators.schedule import FloatArray
from topologies.catalogue import load_topology, with_core_shape
from topologies.model import OdPair, Path, Topology
from topologies.optimum import min_max_utilisation
from topologies.paths import k_shortest_paths

LOADS = (0.2, 1.3)
"""Of the most that any routing could carry."""
_CHOICE = 4
"""Paths that a pair may take."""
_NODE_SPREAD, _PAIR_SPREAD = 0.7, 0.5
"""Standard deviations in the logarithm: of a host's weights, and of a pair about the gravity model
(Roughan, "Simplifying the synthesis of Internet traffic matrices", ACM CCR 35(5), 2005)."""
_ACCESS_SHARE = 0.8
"""Of an access link, at most, for all traffic of a host: trials are about core links."""
_GOLDEN_RATIO = 0.6180339887498949
"""Its multiples, modulo 1, are spread evenly however many there are."""


@dataclass(frozen=True)
class Trial:
    """One matrix under one routing."""

    number: int
    load: float
    """See `twin.samples.Sample`."""
    matrix_bps: FloatArray
    """(hosts, hosts)"""
    paths: Mapping[OdPair, Path]


def networks() -> dict[str, Topology]:
    """Where trials are made: different in shape, size, delays, rates and queues, all of them slow
    enough for a machine of two processors."""
    shapes = {
        "topohub:sndlib/abilene": (5e6, 60),
        "leaf-spine": (8e6, 40),
        "ring": (4e6, 100),
    }
    return {
        name.rpartition("/")[2]: with_core_shape(load_topology(name), rate, queue)
        for name, (rate, queue) in shapes.items()
    }


def trial(topology: Topology, number: int) -> Trial:
    """The trial of that number: the same every time.

    Loads of successive numbers are spread over `LOADS`. Pairs too slow to be measured are silent.
    A share of the pairs, from none to all, takes one of its shortest paths at random.
    """
    random = np.random.default_rng([number, len(topology.od_pairs)])
    low, high = LOADS
    load = low + (high - low) * (number * _GOLDEN_RATIO % 1)
    shares = _gravity(len(topology.hosts), random)
    matrix_bps = shares * load / min_max_utilisation(topology, shares)
    matrix_bps *= min(1.0, _ACCESS_SHARE / _access_load(topology, matrix_bps))
    matrix_bps[matrix_bps < MIN_RATE_BPS] = 0.0
    load = min_max_utilisation(topology, matrix_bps)
    return Trial(number, load, matrix_bps, _paths(topology, random))


def _gravity(hosts: int, random: np.random.Generator) -> FloatArray:
    sending, receiving = random.lognormal(0.0, _NODE_SPREAD, (2, hosts))
    noise = random.lognormal(0.0, _PAIR_SPREAD, (hosts, hosts))
    shares = np.outer(sending, receiving) * noise * (1 - np.eye(hosts))
    return np.asarray(shares / shares.sum())


def _access_load(topology: Topology, matrix_bps: FloatArray) -> float:
    rates_bps = np.array([link.shape.rate_bps for link in topology.access_links])
    return float((np.maximum(matrix_bps.sum(0), matrix_bps.sum(1)) / rates_bps).max())


def _paths(topology: Topology, random: np.random.Generator) -> dict[OdPair, Path]:
    astray = random.uniform()
    at = topology.switch_of
    ends = {(a, b): (at[a], at[b]) for a, b in topology.od_pairs}
    choices = {end: k_shortest_paths(topology, *end, _CHOICE) for end in set(ends.values())}
    found = {}
    for pair, end in ends.items():
        paths = choices[end]
        number = int(random.integers(len(paths))) if random.uniform() < astray else 0
        found[pair] = paths[number]
    return found

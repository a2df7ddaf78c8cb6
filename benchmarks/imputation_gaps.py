"""The gaps that `bench imputation` makes, and what the links still tell."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from generators.gaps import BoolArray
from generators.schedule import FloatArray
from twin.indexing import Indexing

LOAD_ERROR = 0.01
"""Standard error of a link's load, as a share of it."""

_SHARES = (0.1, 0.5, 0.9)
_BLOCK_STEPS = (3, 12, 36, 72)


@dataclass(frozen=True)
class Gaps:
    """Hidden cells of a record."""

    name: str
    hidden: BoolArray
    """(steps, pairs)"""
    blind: BoolArray
    """(steps, links) whose load nobody tells."""
    block: bool


def cases(rates_bps: FloatArray, indexing: Indexing, random: np.random.Generator) -> Sequence[Gaps]:
    """All of them, for a record (steps, pairs)."""
    steps, pairs = rates_bps.shape
    found = []
    for share in _SHARES:
        hidden = random.random((steps, pairs)) < share
        hidden[-1] = False  # linear interpolation needs an end
        blind = np.zeros((steps, len(indexing.directions)), dtype=bool)
        found.append(Gaps(f"{share:.0%} of cells", hidden, blind, block=False))
    lengths = (length for length in _BLOCK_STEPS if 2 * length < steps)
    return [*found, *(_silences(indexing, steps, length, random) for length in lengths)]


def _silences(indexing: Indexing, steps: int, length: int, random: np.random.Generator) -> Gaps:
    """One switch after the other falls silent for so many steps, in random order."""
    switches = [switch for switch, pairs in indexing.pairs_of_switch.items() if len(pairs)]
    order = [*random.permutation(len(switches))]
    hidden = np.zeros((steps, len(indexing.pairs)), dtype=bool)
    blind = np.zeros((steps, len(indexing.directions)), dtype=bool)
    for number, first in enumerate(range(0, steps - length, length)):
        switch = switches[order[number % len(order)]]
        block = slice(first, first + length)
        hidden[block, indexing.pairs_of_switch[switch]] = True
        blind[block] = untold(indexing, {switch})
    return Gaps(f"silent {length} steps", hidden, blind, block=True)


def untold(indexing: Indexing, silent: Collection[str]) -> BoolArray:
    """(links,) whose load nobody tells: at every end is a silent switch, or a host."""
    hosts = indexing.topology.switch_of
    return np.array(
        [all(end in silent or end in hosts for end in ends) for ends in indexing.directions]
    )


def link_loads(rates_bps: FloatArray, gaps: Gaps, crossing: FloatArray) -> FloatArray:
    """(steps, links) as counted by the switches that are not silent; the same at every call."""
    loads_bps = rates_bps @ crossing.T
    error = LOAD_ERROR * np.random.default_rng(0).standard_normal(loads_bps.shape)
    return np.where(gaps.blind, np.nan, loads_bps * (1 + error))

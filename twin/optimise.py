"""Search for the moves that lower the maximum link utilisation, then the mean delay.

Where the hottest links cannot be relieved, by a cut of the network or at all in the time, the next
hottest are, and so on down: a lexicographic minimum, as far as the time goes.

Local search over one path per pair: a smooth cost that punishes the hottest links stands in for
the maximum; the best single move off the hottest link is taken again and again; when none helps, a
few pairs on it are thrown onto other paths and the search goes on from there. Cf. B. Fortz and
M. Thorup, "Internet traffic engineering by optimizing OSPF weights", INFOCOM 2000, and
H. R. Lourenço et al., "Iterated local search", Handbook of Metaheuristics, 2003.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from topologies.model import Ways
from twin.candidates import CandidateSet
from twin.indexing import FloatArray, Indexing
from twin.path_choice import SLACK, PathChoice, smooth_maximum, waiting_cost
from twin.splitting import split

COMFORTABLE_UTILISATION = 0.6
"""Queues are short below this: lowering the maximum further is not worth a detour."""

_KICKED_PAIRS = 5
_FOR_LOWER_LEVELS = 0.25  # share of the time left, once the hottest links are settled
_CROWDED = 0.85  # below this, links other than the hottest are well enough as they are
_PATIENCE = 40  # kicks in a row that may lead nowhere
_PROGRESS = 1e-3  # fall of the cost that counts as getting somewhere
_WORTH_SPLITTING = 0.02  # fall of the maximum
_WORTH_A_MOVE = 0.02  # a pair moves for the delay's sake only if the mean delay gains this share


@dataclass(frozen=True)
class Plan:
    """What the search found."""

    moves: Ways
    max_utilisation_before: float
    """Over the core links and the matrices, a pair whose route is down on its shortest path."""
    max_utilisation: float
    """The same after the moves."""


def optimise(
    indexing: Indexing,
    candidates: CandidateSet,
    od_bps: FloatArray,
    *,
    rate_bps: FloatArray | None = None,
    budget_s: float = 0.08,
    comfortable: float = COMFORTABLE_UTILISATION,
    seed: int = 0,
    splits: int = 0,
) -> Plan:
    """Find few moves that minimise the maximum core utilisation, then the mean delay.

    Args:
        indexing: the topology.
        candidates: paths to choose from, and those in use.
        od_bps: (pairs,) what each pair sends, finite; or (matrices, pairs), and the moves shall
            suit them all.
        rate_bps: (links,) what each link carries; without it, as configured.
        budget_s: processor time the search may take: a busy machine takes longer, not less care.
        comfortable: a maximum below this counts as this.
        seed: of the random kicks.
        splits: pairs that may be split over several paths: those of many flows alone can.
    """
    deadline_s = time.thread_time() + budget_s
    rates = indexing.rate_bps if rate_bps is None else rate_bps
    state = PathChoice.initial(rates[: indexing.cores], candidates, od_bps)
    best = _explore(state, comfortable, np.random.default_rng(seed), deadline_s)
    final = _shorten(best, comfortable, state)
    moved = np.flatnonzero(final.choice != candidates.current)
    moves = {indexing.pairs[p]: candidates.way[final.choice[p]] for p in moved}
    maximum = final.maximum
    if splits and maximum > comfortable:
        ways, reached = split(final, indexing.pairs, splits)
        if reached <= maximum - _WORTH_SPLITTING:
            moves, maximum = {**moves, **ways}, reached
    return Plan(moves, state.maximum, maximum)


def _explore(
    state: PathChoice, comfortable: float, random: np.random.Generator, deadline_s: float
) -> PathChoice:
    """Lower the maximum; then, where it cannot be lowered, that of the other links, and so on."""
    best = state
    while best.open_maximum > comfortable and (left_s := deadline_s - time.thread_time()) > 0:
        # What cannot be relieved shows at once; else most of the time belongs to the maximum.
        best = _lower(best, comfortable, random, deadline_s - left_s * _FOR_LOWER_LEVELS)
        best = best.settling()
        comfortable = max(comfortable, _CROWDED)
    return best


def _lower(
    state: PathChoice, comfortable: float, random: np.random.Generator, deadline_s: float
) -> PathChoice:
    """Descend, kick, descend again; return the state with the lowest cost."""
    best = _descend(state, deadline_s)
    fruitless = 0
    while fruitless < _PATIENCE and time.thread_time() < deadline_s:
        if best.open_maximum <= comfortable or not len(best.ways_out()):
            break  # good enough, or nobody can do better
        found = _descend(_kicked(best, random), deadline_s)
        fruitless = 0 if found.cost < best.cost * (1 - _PROGRESS) else fruitless + 1
        if found.cost <= best.cost:
            best = found
    return best


def _descend(state: PathChoice, deadline_s: float) -> PathChoice:
    """Take the best move off the hottest link until none lowers the cost."""
    while time.thread_time() < deadline_s:
        options = state.ways_out()
        if not len(options):
            break
        costs = smooth_maximum(state.load_with(options), state.ceiling)
        best = int(np.argmin(costs))
        if costs[best] >= state.cost * (1 - 1e-6):
            break
        state = state.choosing(int(options[best]))
    return state


def _kicked(state: PathChoice, random: np.random.Generator) -> PathChoice:
    """Throw a few pairs of a hottest link onto any of their paths."""
    hottest = np.flatnonzero(np.isinf(state.ceiling) & (state.load >= state.open_maximum * 0.98))
    victims = state.pairs_on(int(random.choice(hottest)))
    for pair in random.choice(victims, min(_KICKED_PAIRS, len(victims)), replace=False):
        state = state.choosing(int(random.choice(state.options_of(int(pair)))))
    return state


def _shorten(state: PathChoice, comfortable: float, begun: PathChoice) -> PathChoice:
    """Give moved pairs a better path, preferably their old one, if no link gets hotter by it."""
    start = begun.choice
    most = min(state.maximum * SLACK, begun.maximum)
    limit = np.maximum(np.minimum(state.ceiling, most), min(comfortable, begun.maximum))
    moved = np.flatnonzero(state.choice != start)
    lightest_first = np.argsort(state.takes(state.choice[moved]).max(axis=1, initial=0.0))
    for pair in moved[lightest_first]:
        options = state.options_of(int(pair))
        loads = state.load_with(options)
        cost = waiting_cost(loads) + state.path_cost[options]
        # Constant parts of the mean delay drop out, so the gain is measured against the total.
        routed = state.choice[state.choice >= 0]
        total = cost[options == state.choice[pair]][0] + state.path_cost[routed].sum()
        cost = cost + np.where(options == start[pair], 0.0, _WORTH_A_MOVE * total)
        cost[(loads > limit).any(axis=1)] = np.inf
        best = int(options[np.argmin(cost)])
        if np.isfinite(cost.min()) and best != state.choice[pair]:
            state = state.choosing(best)
    return state

"""The moves on offer at one instant, each described by figures that mean the same in every network.

What a learning policy chooses from: leave it at that, move a pair off the hottest link, or bring a
pair back to its shortest path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from twin.indexing import IntArray
from twin.path_choice import PathChoice, smooth_maximum, waiting_cost

RELIEFS, RETURNS = 24, 8
"""At most so many moves of each kind are on offer, the best by the smooth maximum first."""
CHOICES = 1 + RELIEFS + RETURNS
"""The first is to leave it at that."""
FIGURES = 11
"""Of each choice, in this order: three of its kind (stop, relief, return), highest utilisation
before and after, change of the smooth maximum, fullest link of the new path, share of that link,
change of the propagation delay and of the waiting, both relative to all pairs', and moves made so
far."""
MOST_MOVES = 8
"""In one decision."""

_LARGEST = 3.0  # figures beyond are as good as this

Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Offer:
    """What can be chosen next."""

    options: IntArray
    """(CHOICES,) candidate of each choice; -1: to stop, or nothing is on offer there."""
    features: Features
    """(CHOICES, FIGURES)"""

    @property
    def open(self) -> npt.NDArray[np.bool_]:
        """(CHOICES,) whether it can be chosen; to stop always can."""
        return np.asarray((self.options >= 0) | (np.arange(CHOICES) == 0))


def offer(state: PathChoice, moved: int) -> Offer:
    """What can be chosen in `state`, after `moved` moves of the same decision."""
    options = np.full(CHOICES, -1)
    features = np.zeros((CHOICES, FIGURES), dtype=np.float32)
    if moved < MOST_MOVES:
        for first, room, found in (
            (1, RELIEFS, state.ways_out()),
            (1 + RELIEFS, RETURNS, _ways_back(state)),
        ):
            best = _best(state, found, room)
            options[first : first + len(best)] = best
    features[0, [0, 3, 4]] = 1.0, state.maximum, state.maximum
    features[:, -1] = moved / MOST_MOVES
    chosen = np.flatnonzero(options >= 0)
    if len(chosen):
        features[chosen, 1] = chosen <= RELIEFS
        features[chosen, 2] = chosen > RELIEFS
        features[chosen, 3:-1] = _figures(state, options[chosen])
    return Offer(options, np.clip(features, -_LARGEST, _LARGEST))


def _ways_back(state: PathChoice) -> IntArray:
    """The shortest candidates of all pairs that are on others."""
    first = np.searchsorted(state.candidates.pair, np.arange(len(state.choice)))
    return np.asarray(first[(state.choice >= 0) & (state.choice != first)])


def _best(state: PathChoice, options: IntArray, room: int) -> IntArray:
    if not len(options):
        return options
    costs = smooth_maximum(state.load_with(options), state.ceiling)
    return np.asarray(options[np.argsort(costs, kind="stable")[:room]])


def _figures(state: PathChoice, options: IntArray) -> Features:
    after = state.load_with(options)
    takes = state.takes(options)
    now = state.choice[state.candidates.pair[options]]
    routed = state.choice[state.choice >= 0]
    delay = (state.path_cost[options] - state.path_cost[now]) / max(
        state.path_cost[routed].sum(), 1e-9
    )
    before_waiting = waiting_cost(state.load)
    waiting = (waiting_cost(after) - before_waiting) / max(float(before_waiting), 1e-9)
    return np.stack(
        [
            np.full(len(options), state.maximum),
            after.max(axis=1),
            10 * (smooth_maximum(after, state.ceiling) / max(state.cost, 1e-9) - 1),
            np.where(takes > 0, after, 0.0).max(axis=1),
            takes.max(axis=1),
            10 * delay,
            10 * waiting,
        ],
        axis=1,
    ).astype(np.float32)

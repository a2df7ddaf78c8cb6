"""A policy that has learnt rerouting in the twin (`envs.py`) instead of being told how."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from topologies.model import DirectedLink
from twin.move_offer import MOST_MOVES, offer
from twin.policy import Proposal
from twin.view import TwinView

if TYPE_CHECKING:  # torch takes seconds to import: only a run under this policy waits for it
    from twin.move_network import MoveNetwork

WEIGHTS = "TWINBED_RL_WEIGHTS"
"""The environment variable that names a file of weights other than the shipped one."""


class LearnedPolicy:
    """Makes the moves that its network scores highest, until that says to stop; then rests."""

    name = "twin-rl"
    never_worse = True

    REST_S = 1.0
    """As long as a period of its training; a change of link state does not wait."""

    def __init__(self) -> None:
        """Prepare to load the weights with the first decision.

        Raises:
            FileNotFoundError: the environment names a file that is not there.
        """
        named = os.environ.get(WEIGHTS)
        if named and not Path(named).is_file():
            raise FileNotFoundError(f"{WEIGHTS}={named}: there is no such file")
        self._network: MoveNetwork | None = None
        self._rest_until_s = -np.inf
        self._down: frozenset[DirectedLink] = frozenset()

    def decide(self, view: TwinView) -> Proposal | None:
        """Propose what the network chooses, if it does not stop at once."""
        if view.down == self._down and view.now_s < self._rest_until_s:
            return None
        self._down = view.down
        start = state = view.paths(np.array([view.measured_bps, view.matrices_bps[-1]]))
        for moved in range(MOST_MOVES):
            option = self._weights().best(offer(state, moved))
            if option < 0:
                break
            state = state.choosing(option)
        changed = np.flatnonzero(state.choice != start.choice)
        if not len(changed):
            return None
        self._rest_until_s = view.now_s + self.REST_S
        pairs = view.topology.od_pairs
        ways = state.candidates.way
        return Proposal({pairs[p]: ways[state.choice[p]] for p in changed}, "learned")

    def _weights(self) -> MoveNetwork:
        if self._network is None:
            from twin.move_network import SHIPPED, MoveNetwork

            self._network = MoveNetwork.load(Path(os.environ.get(WEIGHTS) or SHIPPED))
        return self._network

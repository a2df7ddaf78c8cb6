"""The twin's model as a Gymnasium environment: learners reroute in it, and break nothing.

`gymnasium.make("twinbed/Reroute-v0")` once this module has been imported. A step chooses one of the
moves on offer (`move_offer.py`), or stops. Then the decision is carried out, a period of traffic
passes, and the reward is by how much less it suffers, says the model, than on shortest paths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from topologies.model import Topology
from topologies.random_networks import random_network
from twin.episode import Episode
from twin.move_offer import CHOICES, FIGURES, Features

ENVIRONMENT = "twinbed/Reroute-v0"
PERIODS = 32
"""Of an episode."""

_MOVE_COST = 0.02
_SWITCHES = (5, 13)
_LINKS_PER_SWITCH = (1.2, 1.8)


def some_network(random: np.random.Generator) -> Topology:
    """A random network of 5 to 12 switches."""
    switches = int(random.integers(*_SWITCHES))
    links = round(switches * float(random.uniform(*_LINKS_PER_SWITCH)))
    return random_network(switches, links, int(random.integers(1 << 31)))


class RerouteEnv(gym.Env[Features, int]):
    """Episodes on networks of `network`, each with traffic, surges and failures of its own.

    Observation: (CHOICES, FIGURES), the moves on offer. Action: the number of one; 0 stops. `info`
    holds `action_mask` (CHOICES,); a choice that is not on offer counts as a stop. Reward: minus
    its price for a move; for a stop, the gain of the period that follows (`Episode.pass_period`).
    """

    def __init__(self, network: Callable[[np.random.Generator], Topology] = some_network) -> None:
        self.observation_space = spaces.Box(-3.0, 3.0, (CHOICES, FIGURES), np.float32)
        self.action_space = spaces.Discrete(CHOICES)  # type: ignore[assignment]
        self._network = network
        self._episode: Episode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Features, dict[str, Any]]:
        """Begin an episode on another network."""
        super().reset(seed=seed, options=options)
        self._episode = Episode(self._network(self.np_random), self.np_random)
        return self._seen()

    def step(self, action: int) -> tuple[Features, float, bool, bool, dict[str, Any]]:
        """Make one move more, or stop and let a period pass."""
        episode = self._episode
        option = int(episode.offer.options[action])
        if option >= 0:
            episode.move(option)
            reward = -_MOVE_COST
        else:
            reward = episode.pass_period()
        features, info = self._seen()
        return features, reward, False, episode.periods >= PERIODS, info

    def _seen(self) -> tuple[Features, dict[str, Any]]:
        offer = self._episode.offer
        return offer.features, {"action_mask": offer.open}


gym.register(ENVIRONMENT, entry_point=f"{__name__}:{RerouteEnv.__name__}")

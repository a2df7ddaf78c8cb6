"""Training the learned policy by proximal policy optimisation.

J. Schulman et al., "Proximal Policy Optimization Algorithms", 2017; advantages as in J. Schulman
et al., "High-Dimensional Continuous Control Using Generalized Advantage Estimation", 2015.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor

from topologies.model import Topology
from twin.envs import RerouteEnv, some_network
from twin.move_network import MoveNetwork
from twin.move_offer import CHOICES, FIGURES

_ENVIRONMENTS = 8
_STEPS = 128
"""Of each environment between two updates."""
_DISCOUNT, _TRACE = 0.95, 0.9
_CLIP, _ENTROPY, _VALUE = 0.2, 0.005, 0.5
_EPOCHS, _MINIBATCH, _RATE = 4, 256, 3e-4

Progress = Callable[[float, str], None]
"""Told which share of the training is done, and how it goes."""


def train_policy(
    seed: int,
    updates: int,
    progress: Progress,
    network: Callable[[np.random.Generator], Topology] = some_network,
) -> tuple[MoveNetwork, list[float]]:
    """Train a network; return it and the mean reward of a step, update by update.

    The same arguments give the same weights.
    """
    torch.manual_seed(seed)
    learner = MoveNetwork()
    optimiser = torch.optim.Adam(learner.parameters(), lr=_RATE, eps=1e-5)
    worlds = _Worlds(seed, network)
    curve: list[float] = []
    for update in range(updates):
        optimiser.param_groups[0]["lr"] = _RATE * (1 - update / updates)
        experience = worlds.play(learner)
        _improve(learner, optimiser, experience)
        curve.append(float(experience.rewards.mean()))
        progress((update + 1) / updates, f"reward {np.mean(curve[-10:]):.3f}")
    return learner.eval(), curve


@dataclass(frozen=True)
class _Experience:
    """Steps of all environments, (steps, environments, ...)."""

    features: Tensor
    open: Tensor
    actions: Tensor
    logs: Tensor
    """Log probabilities of the actions when they were chosen."""
    values: Tensor
    rewards: Tensor
    advantages: Tensor


class _Worlds:
    """Environments that go on from one update to the next."""

    def __init__(self, seed: int, network: Callable[[np.random.Generator], Topology]) -> None:
        self._envs = gym.vector.SyncVectorEnv(
            [lambda: RerouteEnv(network) for _ in range(_ENVIRONMENTS)],
            autoreset_mode=gym.vector.AutoresetMode.SAME_STEP,
        )
        self._features, info = self._envs.reset(seed=seed)
        self._open = info["action_mask"]

    def play(self, learner: MoveNetwork) -> _Experience:
        """Let the learner act for `_STEPS` steps."""
        shape = (_STEPS, _ENVIRONMENTS)
        features = torch.empty((*shape, CHOICES, FIGURES))
        open_ = torch.empty((*shape, CHOICES), dtype=torch.bool)
        actions = torch.empty(shape, dtype=torch.long)
        logs, values, rewards, ends = (torch.empty(shape) for _ in range(4))
        for step in range(_STEPS):
            features[step] = torch.from_numpy(self._features)
            open_[step] = torch.from_numpy(np.stack(self._open).astype(bool))
            with torch.no_grad():
                logits, values[step] = learner(features[step], open_[step])
                log_chances = torch.log_softmax(logits, dim=-1)
                drawn = torch.multinomial(log_chances.exp(), 1)
                actions[step] = drawn.squeeze(1)
                logs[step] = log_chances.gather(1, drawn).squeeze(1)
            self._features, reward, _, truncated, info = self._envs.step(actions[step].numpy())
            self._open = info["action_mask"]
            rewards[step] = torch.from_numpy(reward)
            ends[step] = torch.from_numpy(truncated)
        with torch.no_grad():
            _, last = learner(
                torch.from_numpy(self._features),
                torch.from_numpy(np.stack(self._open).astype(bool)),
            )
        advantages = _advantages(rewards, values, ends, last)
        return _Experience(features, open_, actions, logs, values, rewards, advantages)


def _advantages(rewards: Tensor, values: Tensor, ends: Tensor, last: Tensor) -> Tensor:
    """How much better each action was than what was expected of its state."""
    advantages = torch.zeros_like(rewards)
    trace = torch.zeros_like(last)
    following = last
    for step in reversed(range(len(rewards))):
        goes_on = 1 - ends[step]
        surprise = rewards[step] + _DISCOUNT * following * goes_on - values[step]
        trace = surprise + _DISCOUNT * _TRACE * goes_on * trace
        advantages[step] = trace
        following = values[step]
    return advantages


def _improve(
    learner: MoveNetwork, optimiser: torch.optim.Optimizer, experience: _Experience
) -> None:
    rows = experience.actions.numel()
    features, open_ = experience.features.flatten(0, 1), experience.open.flatten(0, 1)
    actions, logs = experience.actions.flatten(), experience.logs.flatten()
    gained = experience.advantages.flatten()
    goals = gained + experience.values.flatten()
    gained = (gained - gained.mean()) / (gained.std() + 1e-8)
    for _ in range(_EPOCHS):
        for batch in torch.split(torch.randperm(rows), _MINIBATCH):
            logits, values = learner(features[batch], open_[batch])
            log_chances = torch.log_softmax(logits, dim=-1)
            chosen = log_chances.gather(1, actions[batch].unsqueeze(1)).squeeze(1)
            ratio = (chosen - logs[batch]).exp()
            clipped = ratio.clamp(1 - _CLIP, 1 + _CLIP)
            gain = torch.minimum(ratio * gained[batch], clipped * gained[batch]).mean()
            miss = (values - goals[batch]).square().mean()
            entropy = -(log_chances.exp() * log_chances).sum(dim=-1).mean()
            loss = _VALUE * miss - gain - _ENTROPY * entropy
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(learner.parameters(), 0.5)
            optimiser.step()

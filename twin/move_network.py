"""The learned policy: one small network scores every move on offer, alike in every network."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from twin.move_offer import FIGURES, Offer
from twin.weights import save_weights

_WIDTH = 64
_IMPOSSIBLE = -1e9
_GREED, _RELUCTANCE, _AT_EASE = 200.0, 5.0, 0.6

SHIPPED = Path(__file__).with_name("twin-rl.pt")
"""Weights that `twinbed train twin-rl` made on random networks."""


class WeightsError(Exception):
    """A file of weights cannot be used; the message says why."""


class MoveNetwork(nn.Module):
    """Scores choices, and estimates what is still to come of the episode.

    All choices pass through the same layers, so neither the network's size nor the order of the
    choices matters (M. Zaheer et al., "Deep Sets", NeurIPS 2017). It begins as a greedy policy, and
    learns what to do otherwise (T. Johannink et al., "Residual Reinforcement Learning for Robot
    Control", ICRA 2019): from random moves, learners soon conclude that it is best not to move.
    """

    def __init__(self) -> None:
        super().__init__()
        self.each = nn.Sequential(
            nn.Linear(FIGURES, _WIDTH), nn.Tanh(), nn.Linear(_WIDTH, _WIDTH), nn.Tanh()
        )
        self.score = nn.Linear(2 * _WIDTH, 1)
        self.value = nn.Linear(_WIDTH, 1)
        nn.init.zeros_(self.score.weight)

    def forward(self, features: Tensor, open_: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (batch, CHOICES) and values (batch,).

        Args:
            features: (batch, CHOICES, FIGURES).
            open_: (batch, CHOICES) bool.
        """
        hidden = self.each(features)
        weight = open_.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * weight).sum(dim=1) / weight.sum(dim=1)
        both = torch.cat([hidden, mean.unsqueeze(1).expand_as(hidden)], dim=-1)
        logits = self.score(both).squeeze(-1) + _instinct(features)
        logits = logits.masked_fill(~open_, _IMPOSSIBLE)
        return logits, self.value(mean).squeeze(-1)

    def best(self, offer: Offer) -> int:
        """The candidate of the highest score; -1 to stop."""
        with torch.inference_mode():
            features, open_ = torch.from_numpy(offer.features), torch.from_numpy(offer.open)
            logits, _ = self(features[None], open_[None])
        return int(offer.options[int(logits[0].argmax())])

    def save(self, path: Path) -> None:
        """Write the weights.

        Raises:
            OSError: the file cannot be written.
        """
        save_weights(self, path)

    @staticmethod
    def load(path: Path) -> MoveNetwork:
        """Read weights written by `save`; runs no code from the file.

        Raises:
            WeightsError: the file is missing, damaged, or holds other weights.
        """
        network = MoveNetwork()
        try:
            network.load_state_dict(torch.load(path, weights_only=True))
        except Exception as error:  # torch raises whatever the bytes lead it to
            raise WeightsError(f"{path} holds no weights of twin-rl: {error}") from error
        return network.eval()


def _instinct(features: Tensor) -> Tensor:
    """(batch, CHOICES) logits of a greedy policy, which moves for a clear fall of the maximum."""
    stop, highest_after = features[..., 0], features[..., 4]
    return _RELUCTANCE * stop - _GREED * highest_after.clamp_min(_AT_EASE)

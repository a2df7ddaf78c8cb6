"""The windows of a history that the critics see."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from generators.conditions import PEAK_SHARE
from generators.gan_material import Material
from generators.gan_networks import WINDOW


class Starts:
    """Random windows of the history without incidents, `stride` steps between their matrices."""

    def __init__(self, material: Material, stride: int) -> None:
        self._material = material
        self._offsets = stride * np.arange(WINDOW)
        last = material.history.steps - self._offsets[-1]
        spans = np.arange(last)[:, None] + self._offsets
        calm = np.flatnonzero(material.usable[spans].all(axis=1))
        self._all = calm if len(calm) else np.arange(last)
        means = material.load[self._all[:, None] + self._offsets].mean(axis=1)
        self._busy = self._all[means >= np.quantile(means, 1 - PEAK_SHARE)]

    def draw(
        self, numbers: np.random.Generator, batch: int, peak_share: float
    ) -> tuple[Tensor, Tensor]:
        """Return scores (batch, WINDOW, pairs) and conditions (batch, WINDOW, FEATURES).

        `peak_share` of them are from the busiest tenth.
        """
        busy = round(peak_share * batch)
        starts = np.concatenate(
            [numbers.choice(self._busy, busy), numbers.choice(self._all, batch - busy)]
        )
        span = torch.from_numpy(starts[:, None] + self._offsets)
        return self._material.scores[span], self._material.conditions[span]

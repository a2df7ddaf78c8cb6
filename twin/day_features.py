"""What a forecast hours ahead rests on: the last rates, those of the hosts, and earlier days.

A history with regular steps, so that the same time of an earlier day is a whole number of steps
away. Everything known at a step comes from that step and those before it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from twin.indexing import FloatArray, Indexing
from twin.mixing import log_relative

DAY_S = 86_400.0
DAYS = 2
"""Earlier days that a forecast looks at."""
NAIVE = 8
"""Naive forecasts mixed: the first is persistence."""

_LAGS = (1, 2, 3, 4, 5, 6, 8, 11)  # steps
_HOST_LAGS = (1, 2, 3, 6, 12)  # steps
_SPANS_S = (900.0, 1800.0, 3600.0, 10_800.0, 21_600.0, DAY_S)  # of the means of the last rates
_SMOOTHING_S = 1800.0  # either side of a time of an earlier day
_HARMONICS = (1, 2)  # of the day
_RESTLESS = 12  # steps over which the usual change between steps is taken


class DayFeatures:
    """The features of every step of a history (steps, pairs), computed when asked for."""

    def __init__(self, indexing: Indexing, rates_bps: FloatArray, step_s: float) -> None:
        """Take rates in any unit in which their mean is about 1."""
        self.day = round(DAY_S / step_s)
        self._half = max(1, round(_SMOOTHING_S / step_s))
        self._spans = [max(1, round(span_s / step_s)) for span_s in _SPANS_S]
        zeros = np.zeros((1, rates_bps.shape[1]))
        # Double precision: sums over weeks are subtracted from each other.
        self._sums = torch.from_numpy(np.cumsum(np.vstack([zeros, rates_bps]), axis=0))
        self._source = torch.from_numpy(indexing.source)
        self._target = torch.from_numpy(indexing.target)
        self._hosts = len(indexing.topology.hosts)

    @property
    def first(self) -> int:
        """The first step at which enough is known."""
        return DAYS * self.day + self._half + max(_LAGS)

    def rates(self, steps: Tensor) -> Tensor:
        """(steps, pairs) the rates themselves."""
        return self._mean(steps, 1)

    def at(self, now: Tensor, ahead: int) -> tuple[Tensor, Tensor]:
        """What is known at the steps `now` of those `ahead` later.

        Args:
            now: (windows,), from `first` on.
            ahead: steps, less than a day without half an hour.

        Returns:
            (windows, pairs, features) and (windows, pairs, NAIVE).
        """
        last = self.rates(now)
        level = log_relative(last)
        features = [log_relative(self.rates(now - lag)) - level for lag in _LAGS]
        features += [log_relative(self._mean(now, span)) - level for span in self._spans]
        features += [level, self._restlessness(now), *self._of_hosts(now)]
        for days in range(1, DAYS + 1):
            features += self._of_day(now, ahead, days, level)
        features += self._time_of_day(now + ahead)
        return torch.stack(features, dim=2), self._naive(now, ahead)

    def _naive(self, now: Tensor, ahead: int) -> Tensor:
        days = [self._smooth(now + ahead - days * self.day) for days in range(1, DAYS + 1)]
        means = [self._mean(now, span) for span in self._spans if span > 1][:4]
        means += [means[-1]] * (4 - len(means))  # where a step is an hour, spans fall together
        last = [self.rates(now), self.rates(now - 1)]
        return torch.stack([*last, *means, days[0], sum(days[1:], days[0]) / DAYS], dim=2)

    def _of_hosts(self, now: Tensor) -> list[Tensor]:
        """How what each host sends and receives, and the whole, has changed and stands."""
        standing = [log_relative(part) for part in self._totals(self.rates(now))]
        changed = [
            log_relative(before) - after
            for lag in _HOST_LAGS
            for before, after in zip(self._totals(self.rates(now - lag)), standing, strict=True)
        ]
        return standing + changed

    def _of_day(self, now: Tensor, ahead: int, days: int, level: Tensor) -> list[Tensor]:
        """What became of it on an earlier day, from the same time of day on."""
        then = self._smooth(now - days * self.day)
        later = self._smooth(now + ahead - days * self.day)
        grown = log_relative(later)
        changed = [
            log_relative(after) - log_relative(before)
            for before, after in zip(self._totals(then), self._totals(later), strict=True)
        ]
        return [grown - log_relative(then), grown - level, *changed]

    def _time_of_day(self, steps: Tensor) -> list[Tensor]:
        angle = (2 * np.pi / self.day) * (steps % self.day).float()
        waves = [wave(k * angle) for k in _HARMONICS for wave in (torch.sin, torch.cos)]
        return [wave[:, None].expand(-1, len(self._source)) for wave in waves]

    def _restlessness(self, now: Tensor) -> Tensor:
        """The mean change from step to step, on the log scale."""
        recent = [log_relative(self.rates(now - lag)) for lag in range(_RESTLESS)]
        return torch.stack(recent).diff(dim=0).abs().mean(dim=0)

    def _totals(self, rates: Tensor) -> list[Tensor]:
        """Per pair: the mean rate that its source sends, that its target receives, of all."""
        empty = rates.new_zeros((len(rates), self._hosts))
        sent = empty.index_add(1, self._source, rates) / self._hosts
        received = empty.index_add(1, self._target, rates) / self._hosts
        total = rates.mean(dim=1, keepdim=True).expand_as(rates)
        return [sent[:, self._source], received[:, self._target], total]

    def _smooth(self, steps: Tensor) -> Tensor:
        """The mean half an hour either side of steps of the past."""
        return self._mean(steps + self._half, 2 * self._half + 1)

    def _mean(self, last: Tensor, span: int) -> Tensor:
        """The mean over `span` steps up to and with `last`."""
        first = (last + 1 - span).clamp_min(0)
        return ((self._sums[last + 1] - self._sums[first]) / span).float().clamp_min(0.0)

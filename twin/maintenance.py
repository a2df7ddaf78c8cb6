"""Predictive maintenance: links that get worse are forecast to fail, and drained before they do.

A healthy link loses nothing and delays as configured unless its queue fills. What it loses, or
delays, beyond that is followed by a robust trend (`trend.py`): Theil-Sen's, which up to 29 % wild
blocks of seconds do not bend, with the Mann-Kendall test for its significance. Where it will cross
what counts as failing, is the forecast. A delay is the least of a few probes: queues and busy
machines only ever add to it. The counters at the two ends of a link are read at different times, so
single seconds say little of a loss: it is added up over blocks, in which most of what one second
lacked has come. How wrong that still is, is known: no link gains packets, so what some seem to gain
is the error of all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from twin import trend
from twin.indexing import FloatArray
from twin.model import FRAME_BITS, PerformanceModel
from twin.observation import Observation
from twin.records import FailingSign, LinkFailing, LinkMended

_WINDOW_S = 20.0
_BLOCK = 2  # seconds
_FEWEST = 5  # blocks, before a trend is one: all in order by chance is one in 120
_CONFIDENCE = 0.99
_HORIZON_S = 60.0  # what fails later than that is no hurry
_LATELY = 3  # blocks that make up the level now
_STANDS_OUT = 2.0  # times the error of the readings
_UNCROWDED = 0.8  # load up to which a queue loses nothing
_WORTH_COUNTING = 0.02  # load from which the losses of one second mean something
_USUAL = 0.75  # quantile over the links of the delay that a busy machine adds, not a link
CLEAN_S, LONGEST_CLEAN_S = 30.0, 480.0
"""A link is used again after so long without a sign; doubled each time that it gets bad again (as
in route flap damping, RFC 2439)."""


@dataclass(frozen=True)
class _Limits:
    """When a sign counts at all, and when the link is failing."""

    least: float
    failing: float


_LIMITS: dict[FailingSign, _Limits] = {
    "loss": _Limits(0.005, 0.05),  # share of the packets
    "delay": _Limits(10.0, 50.0),  # ms more than configured
}


class LinkHealth:
    """The signs of every core link, and the verdict on it.

    `failing` are the core links, by index, that will fail or do, and the sign that says so: one
    direction is enough to condemn it, the other is judged by itself. A delay is but a warning: a
    busy machine makes probes late, too, while packets that are counted as lost are lost.
    """

    def __init__(self, model: PerformanceModel) -> None:
        self._model = model
        self._seen: dict[tuple[FailingSign, int], deque[tuple[float, float, float]]] = {
            (sign, link): deque() for sign in _LIMITS for link in range(model.indexing.cores)
        }
        """When, how much, and how much that second weighs: packets lost count, not shares."""
        self.failing: dict[int, FailingSign] = {}
        self._condemned_s: dict[int, float] = {}
        self._sign_s: dict[int, float] = {}
        self._clean_s: dict[int, float] = {}

    def observe(
        self, seen: Observation, of_other_capacity: Collection[int] = ()
    ) -> list[LinkFailing | LinkMended]:
        """Take in one second more; return on which links the verdict has changed.

        Links `of_other_capacity` than was believed lost for that reason.
        """
        signs = self._signs(seen)
        for (sign, link), values in self._seen.items():
            value = signs[sign][link]
            if link in of_other_capacity:
                values.clear()
            elif np.isfinite(value):
                weight = seen.sent_bps[link] if sign == "loss" else 1.0
                values.append((seen.end_s, float(value), float(weight)))
            while values and values[0][0] < seen.end_s - _WINDOW_S:
                values.popleft()
        return [*self._condemn(seen.end_s), *self._acquit(seen, signs)]

    def _signs(self, seen: Observation) -> dict[FailingSign, FloatArray]:
        """(core links,) what is lost and delayed for no reason; NaN where that cannot be told."""
        indexing, cores = self._model.indexing, slice(self._model.indexing.cores)
        rate_bps = self._model.rate_bps[cores]
        load = seen.sent_bps / rate_bps
        idle_ms = indexing.delay_ms[cores] + FRAME_BITS / rate_bps * 1e3
        calm = (load < _UNCROWDED) & ~seen.down
        counts = calm & (load > _WORTH_COUNTING) & ~seen.standing
        later_ms = seen.least_delay_ms - idle_ms
        known_ms = later_ms[np.isfinite(later_ms)]
        usual_ms = max(np.quantile(known_ms, _USUAL), 0.0) if len(known_ms) else 0.0
        return {
            "loss": np.where(counts, seen.counted_loss - indexing.loss[cores], np.nan),
            "delay": np.where(calm, later_ms - usual_ms, np.nan),
        }

    def _condemn(self, now_s: float) -> list[LinkFailing]:
        found = []
        courses = {
            one: course
            for one, values in self._seen.items()
            if (course := _Course.of(np.array(values).reshape(-1, 3), now_s)) is not None
        }
        error = {
            sign: -min((c.level for (its, _), c in courses.items() if its == sign), default=0.0)
            for sign in _LIMITS
        }
        for (sign, link), course in courses.items():
            if self.failing.get(link) in (sign, "loss"):
                continue
            verdict = course.forecast(_LIMITS[sign], _STANDS_OUT * error[sign])
            if verdict is None:
                continue
            level, slope, lead_s, confidence = verdict
            if link not in self.failing:
                again = link in self._condemned_s
                longer_s = min(2 * self._clean_s[link], LONGEST_CLEAN_S) if again else CLEAN_S
                self._condemned_s[link], self._clean_s[link] = now_s, longer_s
            self.failing[link] = sign
            self._sign_s[link] = now_s
            sender, receiver = self._model.indexing.directions[link]
            found.append(
                LinkFailing(
                    t_s=now_s,
                    sender=sender,
                    receiver=receiver,
                    sign=sign,
                    level=level,
                    per_s=slope,
                    failing=_LIMITS[sign].failing,
                    lead_s=lead_s,
                    confidence=confidence,
                )
            )
        return found

    def _acquit(self, seen: Observation, signs: dict[FailingSign, FloatArray]) -> list[LinkMended]:
        mended = []
        for link in sorted(self.failing):
            bad = [signs[sign][link] >= limits.least for sign, limits in _LIMITS.items()]
            if any(bad) or seen.down[link] or seen.probes_lost[link] != 0:
                self._sign_s[link] = seen.end_s
            elif seen.end_s - self._sign_s[link] >= self._clean_s[link]:
                del self.failing[link]
                for sign in _LIMITS:
                    self._seen[sign, link].clear()
                sender, receiver = self._model.indexing.directions[link]
                after_s = seen.end_s - self._condemned_s[link]
                mended.append(
                    LinkMended(t_s=seen.end_s, sender=sender, receiver=receiver, after_s=after_s)
                )
        return mended


@dataclass(frozen=True)
class _Course:
    """How a sign of one link went lately, block by block."""

    times_s: FloatArray
    blocks: FloatArray
    level: float
    """Now."""

    @classmethod
    def of(cls, seconds: FloatArray, now_s: float) -> _Course | None:
        """Of (seconds, 3): when, how much, its weight. None if they are too few, or too old."""
        whole = seconds[len(seconds) % _BLOCK :]  # the newest count
        if len(whole) < _BLOCK * _FEWEST or whole[-1, 0] < now_s - _BLOCK:
            return None
        times_s, values, weights = whole.reshape(-1, _BLOCK, 3).transpose(2, 0, 1)
        return cls(
            times_s.mean(axis=1),
            np.average(values, axis=1, weights=weights),
            float(np.average(values[-_LATELY:], weights=weights[-_LATELY:])),
        )

    def forecast(self, limits: _Limits, error: float) -> tuple[float, float, float, float] | None:
        """(level, growth per second, seconds until it fails, confidence).

        None if it will not soon, or does not stand out from the `error` of all readings.
        """
        least, level = max(limits.least, error), self.level
        if level < least:
            return None
        if level >= limits.failing:
            all_bad = bool((self.blocks[-_FEWEST:] >= least).all())
            return (level, 0.0, 0.0, 1 - 0.5**_FEWEST) if all_bad else None  # by the sign test
        slope = trend.slope(self.times_s, self.blocks)
        confidence = trend.growth_confidence(self.blocks)
        if not (slope > 0 and confidence >= _CONFIDENCE):
            return None
        lead_s = (limits.failing - level) / slope
        return (level, slope, lead_s, confidence) if lead_s <= _HORIZON_S else None

"""Fits the residual of the performance model to samples, and makes its predictions intervals.

Relative errors count, since a target in per cent is about them; large ones count linearly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from scipy.optimize import least_squares

from twin.conformal import margin
from twin.indexing import BoolArray, FloatArray, Indexing
from twin.model import PerformanceModel
from twin.onset import Onset
from twin.residual import Residual
from twin.routed_pairs import RoutedPairs
from twin.samples import Sample, Samples, array, routing

COVERAGE = 0.9
"""Of the intervals."""
FEWEST_PACKETS = 20
"""Of a pair in a sample: of fewer, neither mean nor p95 says anything."""
_MARGIN_SHARE = 0.25
"""Of the samples, what the margins are measured on instead of being fitted to."""
_TYPICAL_ERROR = 0.1
"""Relative errors beyond count linearly, not by their square."""
_EVALUATIONS = 40

_FITTED: dict[str, tuple[float, float, float]] = {
    "variance_gain": (1.0, 0.02, 30.0),
    "streams_exponent": (0.3, 0.0, 2.0),
    "load_exponent": (0.0, -3.0, 3.0),
    "hop_ms": (0.2, 0.0, 5.0),
    "hop_ms_per_load": (0.1, 0.0, 5.0),
    "hop_spread": (1.0, 0.1, 5.0),
    "tail": (1.0, 0.3, 3.0),
}
"""Where the search begins, and its bounds."""


Told = tuple[FloatArray, FloatArray, FloatArray]
"""(pairs,) mean and p95 of the delay in milliseconds, and loss."""


@dataclass(frozen=True)
class Case:
    """A sample as arrays, ready to be predicted."""

    sample: Sample
    indexing: Indexing
    routed: RoutedPairs
    od_bps: FloatArray
    frame_bits: FloatArray
    counted: BoolArray
    """(pairs,) those with enough packets."""
    mean_ms: FloatArray
    p95_ms: FloatArray
    loss: FloatArray
    """(pairs,) share of the packets; NaN where none was sent."""

    def told(self, residual: Residual, *, lasting: bool = False) -> Told:
        """By the performance model; if `lasting`, as if the traffic had been so for ever."""
        model = PerformanceModel(self.indexing, residual)
        since_s = self.sample.since_s
        onset = None if lasting else Onset(since_s, since_s + self.sample.duration_s)
        states = model.predict_all(self.routed, self.od_bps[None], self.frame_bits, onset)
        return states.od_delay_ms[0], states.od_p95_ms[0], states.od_loss[0]


@dataclass(frozen=True)
class Errors:
    """Of one model on some cases: predicted against measured, every counted pair of every case."""

    delay: FloatArray
    """Logarithm of predicted over measured mean."""
    p95: FloatArray
    loss: FloatArray
    """Predicted less measured, as a share."""


def cases_of(samples: Samples) -> list[Case]:
    """Every sample as a case."""
    return [_case(one, samples.indexing[one.network]) for one in samples.samples]


def errors_of(cases: Sequence[Case], predict: Callable[[Case], Told]) -> Errors:
    """What `predict` says, against what was measured."""
    delay, p95, loss = [], [], []
    for case in cases:
        (told_ms, told_p95_ms, told_loss), counted = predict(case), case.counted
        delay.append(np.log(told_ms / case.mean_ms)[counted])
        p95.append(np.log(told_p95_ms / case.p95_ms)[counted])
        loss.append((told_loss - case.loss)[counted])
    return Errors(np.concatenate(delay), np.concatenate(p95), np.concatenate(loss))


def fit(cases: Sequence[Case], seed: int = 0) -> Residual:
    """The residual that explains the cases, with margins from cases that it was not fitted to."""
    order = np.random.default_rng(seed).permutation(len(cases))
    held = int(np.ceil(_MARGIN_SHARE * len(cases)))
    fitted = _search([cases[at] for at in order[held:]])
    seen = errors_of([cases[at] for at in order[:held]], lambda case: case.told(fitted))
    return msgspec.structs.replace(
        fitted,
        delay_margin=margin(np.abs(seen.delay), COVERAGE),
        p95_margin=margin(np.abs(seen.p95), COVERAGE),
        loss_margin=margin(np.abs(seen.loss), COVERAGE),
    )


def _search(cases: Sequence[Case]) -> Residual:
    names = list(_FITTED)
    starts, lows, highs = map(np.array, zip(*_FITTED.values(), strict=True))

    def off(values: FloatArray) -> FloatArray:
        residual = Residual(**dict(zip(names, map(float, values), strict=True)))
        errors = errors_of(cases, lambda case: case.told(residual))
        return np.concatenate([errors.delay, errors.p95 / 2])

    found = least_squares(
        off,
        starts,
        bounds=(lows, highs),
        loss="soft_l1",
        f_scale=_TYPICAL_ERROR,
        x_scale=highs - lows,
        diff_step=1e-3,
        max_nfev=_EVALUATIONS,
    )
    return Residual(**dict(zip(names, map(float, found.x), strict=True)))


def _case(sample: Sample, indexing: Indexing) -> Case:
    packets = np.array(sample.packets)
    sent = packets + np.maximum(np.array(sample.lost), 0)
    return Case(
        sample=sample,
        indexing=indexing,
        routed=RoutedPairs(indexing, routing(sample, indexing)),
        od_bps=np.array(sample.od_bps),
        frame_bits=8 * np.array(sample.frame_bytes),
        counted=packets >= FEWEST_PACKETS,
        mean_ms=array(sample.mean_ms),
        p95_ms=array(sample.p95_ms),
        loss=1 - np.divide(packets, sent, out=np.full(len(sent), np.nan), where=sent > 0),
    )

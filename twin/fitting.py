"""Fits the residual of the performance model to samples, and makes its predictions intervals.

Relative errors count, since a target in per cent is about them; large ones count linearly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

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
_FOLDS = 4
"""Into which samples are parted: errors on each, fitted to the others, make the margins."""
_TYPICAL_ERROR = 0.1
"""Relative errors beyond count linearly, not by their square."""
_EVALUATIONS = 40

_FITTED: dict[str, tuple[float, float]] = {
    "variance_gain": (0.02, 30.0),
    "streams_exponent": (0.0, 2.0),
    "lasting_share": (0.0, 1.0),
    "hop_ms": (0.0, 5.0),
    "hop_ms_per_load": (0.0, 5.0),
    "access_ms": (0.0, 5.0),
    "hop_spread": (0.1, 5.0),
    "tail": (0.3, 3.0),
}
"""What is searched for, and its bounds."""
_FIRST_GUESS = Residual(
    streams_exponent=0.3, lasting_share=0.05, hop_ms=0.2, hop_ms_per_load=0.1, access_ms=0.1
)


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


def fit(cases: Sequence[Case], seed: int = 0, *, lasting: bool = False) -> Residual:
    """The residual that explains the cases, with margins from errors on cases that were left out.

    All cases are left out once, in `_FOLDS` parts. For `lasting` see `Case.told`.
    """
    fitted = _search(cases, lasting, _FIRST_GUESS)
    parts = (np.random.default_rng(seed).permutation(len(cases)) % _FOLDS).tolist()
    seen = []
    for fold in range(_FOLDS):
        others = [case for case, part in zip(cases, parts, strict=True) if part != fold]
        left_out = [case for case, part in zip(cases, parts, strict=True) if part == fold]
        rest = _search(others, lasting, fitted)
        seen.append(errors_of(left_out, partial(Case.told, residual=rest, lasting=lasting)))
    return msgspec.structs.replace(
        fitted,
        delay_margin=margin(np.abs(np.concatenate([one.delay for one in seen])), COVERAGE),
        p95_margin=margin(np.abs(np.concatenate([one.p95 for one in seen])), COVERAGE),
        loss_margin=margin(np.abs(np.concatenate([one.loss for one in seen])), COVERAGE),
    )


def _search(cases: Sequence[Case], lasting: bool, start: Residual) -> Residual:
    names = list(_FITTED)
    lows, highs = map(np.array, zip(*_FITTED.values(), strict=True))

    def off(values: FloatArray) -> FloatArray:
        residual = Residual(**dict(zip(names, map(float, values), strict=True)))
        errors = errors_of(cases, lambda case: case.told(residual, lasting=lasting))
        return np.concatenate([errors.delay, errors.p95 / 2])

    found = least_squares(
        off,
        np.array([getattr(start, name) for name in names]),
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

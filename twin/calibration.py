"""The feedback loop: correct the performance model by what was then measured.

Each correction moves a small part of the way and stays within bounds, so that a wrong measurement
does little and the loop cannot run away.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from topologies.model import Ways
from twin.indexing import FloatArray
from twin.model import PerformanceModel
from twin.queueing import loss_fraction
from twin.records import Calibration

_STEP = 0.3
_GAIN_BOUNDS = (0.9, 1.1)
_VARIANCE_BOUNDS = (0.05, 2.0)
_VARIANCE_STEP = 20.0  # log of the variance per share of packets lost beyond the prediction
_LARGEST_VARIANCE_STEP = 0.2
_BUSY = 0.05  # links below this load say nothing
_UNSATURATED = 0.9
_NEAR_SATURATION = (0.85, 1.0)  # where losses come from the variance of arrivals


def calibrate(
    model: PerformanceModel,
    now_s: float,
    routing: Ways,
    od_bps: FloatArray,
    link_bps: FloatArray,
    link_loss: FloatArray,
) -> list[Calibration]:
    """Compare the model with one interval of unchanged routes; correct it and say how.

    Args:
        model: what to correct.
        now_s: time of the comparison.
        routing: routes during the interval.
        od_bps: (pairs,) measured means, finite.
        link_bps: (links,) measured means; NaN where unknown.
        link_loss: (links,) measured share of packets lost; NaN where unknown.
    """
    corrections = [
        _load_gain(model, now_s, routing, od_bps, link_bps),
        _variance(model, now_s, routing, od_bps, link_bps, link_loss),
    ]
    return [correction for correction in corrections if correction is not None]


def _load_gain(
    model: PerformanceModel,
    now_s: float,
    routing: Ways,
    od_bps: FloatArray,
    link_bps: FloatArray,
) -> Calibration | None:
    cores = slice(model.indexing.cores)
    predicted = model.predict(routing, od_bps).offered_bps[cores]
    measured = link_bps[cores]
    rate_bps = model.rate_bps[cores]
    usable = (measured > _BUSY * rate_bps) & (measured < _UNSATURATED * rate_bps)
    if not usable.any() or not predicted[usable].sum():
        return None
    error = float(measured[usable].sum() / predicted[usable].sum() - 1)
    before = model.correction.load_gain
    after = float(np.clip(before * (1 + _STEP * error), *_GAIN_BOUNDS))
    model.correction = replace(model.correction, load_gain=after)
    return Calibration(t_s=now_s, name="load-gain", before=before, after=after, error=error)


def _variance(
    model: PerformanceModel,
    now_s: float,
    routing: Ways,
    od_bps: FloatArray,
    link_bps: FloatArray,
    link_loss: FloatArray,
) -> Calibration | None:
    indexing = model.indexing
    load = np.nan_to_num(link_bps / model.rate_bps)
    usable = ~np.isnan(link_loss) & (load > _NEAR_SATURATION[0]) & (load < _NEAR_SATURATION[1])
    if not usable.any():
        return None
    before = model.correction.variance
    variance = model.variance(routing, od_bps)[usable]
    full = loss_fraction(load[usable], variance, indexing.queue_packets[usable])
    predicted = 1 - (1 - full) * (1 - indexing.loss[usable])
    error = float((link_loss[usable] - predicted).mean())
    step = np.clip(_VARIANCE_STEP * error, -_LARGEST_VARIANCE_STEP, _LARGEST_VARIANCE_STEP)
    after = float(np.clip(before * np.exp(step), *_VARIANCE_BOUNDS))
    model.correction = replace(model.correction, variance=after)
    return Calibration(t_s=now_s, name="variance", before=before, after=after, error=error)

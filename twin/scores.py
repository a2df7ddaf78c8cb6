"""Every prediction scored against what followed: loads, losses and delays of links, second by
second, and the gains of decisions. Persistent errors are drift, and are said.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from twin.cusum import Cusum
from twin.indexing import FloatArray
from twin.model import FRAME_BITS, PerformanceModel
from twin.observation import Observation
from twin.records import Drift, DriftQuantity, LinksScored

_LOAD_TOLERANCE = 0.1  # of the believed rate
_LOSS_TOLERANCE = 0.05  # of the packets
_DELAY_TOLERANCE = 0.15  # of what a full queue takes to drain
_QUANTITIES: tuple[DriftQuantity, ...] = ("load", "loss", "delay")


class LinkScorer:
    """Compares the model with what was measured on every core link."""

    def __init__(self, model: PerformanceModel) -> None:
        self._model = model
        self._cusum = {name: Cusum(model.indexing.cores) for name in _QUANTITIES}

    def score(self, seen: Observation) -> Iterator[LinksScored | Drift]:
        """Yield the score of one second, and the drifts that have begun or ended with it."""
        if seen.predicted is None:
            return
        cores = slice(self._model.indexing.cores)
        believed_bps = self._model.rate_bps[cores]
        predicted = {
            "load": seen.predicted.offered_bps[cores],
            "loss": seen.predicted.link_loss[cores],
            "delay": seen.predicted.link_delay_ms[cores],
        }
        measured = {"load": seen.sent_bps, "loss": seen.loss, "delay": seen.delay_ms}
        yield LinksScored(
            t_s=seen.end_s,
            start_s=seen.start_s,
            believed_bps=_numbers(believed_bps),
            predicted_bps=_numbers(predicted["load"]),
            measured_bps=_numbers(measured["load"]),
            predicted_loss=_numbers(predicted["loss"]),
            measured_loss=_numbers(measured["loss"]),
            predicted_delay_ms=_numbers(predicted["delay"]),
            measured_delay_ms=_numbers(measured["delay"]),
        )
        full_queue_ms = self._model.indexing.queue_packets[cores] * FRAME_BITS / believed_bps * 1e3
        tolerances = {
            "load": _LOAD_TOLERANCE * believed_bps,
            "loss": np.full(len(believed_bps), _LOSS_TOLERANCE),
            "delay": _DELAY_TOLERANCE * full_queue_ms,
        }
        for name in _QUANTITIES:
            errors = measured[name] - predicted[name]
            changed = self._cusum[name].add(errors / tolerances[name])
            for link in np.flatnonzero(changed):
                yield self._drift(seen.end_s, name, int(link), predicted[name], measured[name])

    def _drift(
        self,
        t_s: float,
        name: DriftQuantity,
        link: int,
        predicted: FloatArray,
        measured: FloatArray,
    ) -> Drift:
        return Drift(
            t_s=t_s,
            quantity=name,
            subject=self._model.indexing.directions[link],
            begun=bool(self._cusum[name].drifting[link]),
            predicted=float(predicted[link]),
            measured=float(measured[link]),
        )


def _numbers(values: FloatArray) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else value for value in values.tolist())

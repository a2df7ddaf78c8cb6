"""What links really carry, learnt from counters and probes.

A link that loses packets while what comes out at its far end stays below what it should carry has
just that capacity, if it is a full queue that loses them and not a bad cable. A full queue shows in
either of two ways: the controller's probes have to wait in it, or more is sent than a second ago
and no more arrives. A bad cable loses a share, whatever is sent.

One that carries more than is believed refutes the belief. Each change needs two seconds of evidence
in a row and is bounded; unknown counters are no evidence. Cf. the saturated-server argument of
capacity estimation: C. Dovrolis et al., "Packet-dispersion techniques and a capacity-estimation
methodology", IEEE/ACM Trans. Netw. 12, 2004.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from twin.indexing import BoolArray, FloatArray
from twin.model import PerformanceModel
from twin.observation import Observation
from twin.records import CapacityLearnt

_LOSSY = 0.01  # share of the packets from which a link counts as losing
_DEAD = 0.9  # beyond it the link has failed, which is nothing about its capacity
_LEAST = 0.05  # of the configured rate: less is not told from a failure
_MARGIN = 0.03  # a difference that readings of two switches at two times may make
_SENT_MORE, _SAME = 0.1, 0.02  # relative: a plateau
_EVIDENCE = 2  # seconds in a row
_LARGEST_STEP = 0.3  # of the belief, each time


class CapacityWatch:
    """Compares what each core link carries with what it is believed to be able to."""

    def __init__(self, model: PerformanceModel) -> None:
        self._model = model
        cores = model.indexing.cores
        self._less = np.zeros(cores, dtype=int)
        """Seconds in a row for which each link has carried all that it can, which is less."""
        self._more = np.zeros(cores, dtype=int)
        self._sent_bps = np.full(cores, np.nan)
        """Of the last second with losses."""
        self._arrived_bps = np.full(cores, np.nan)

    def learn(self, seen: Observation) -> list[CapacityLearnt]:
        """Correct the model's capacities by one second more; return what has changed."""
        cores = slice(self._model.indexing.cores)
        believed = self._model.rate_bps[cores]
        arrived = seen.arrived_bps
        full = self._is_full(seen)
        self._less = np.where(full & (arrived < (1 - _MARGIN) * believed), self._less + 1, 0)
        self._more = np.where(arrived > (1 + _MARGIN) * believed, self._more + 1, 0)
        due = (self._less >= _EVIDENCE) | (self._more >= _EVIDENCE)
        ratio = np.clip(arrived / believed, 1 - _LARGEST_STEP, 1 + _LARGEST_STEP)
        return [
            self._believe(int(link), believed[link] * ratio[link], seen)
            for link in np.flatnonzero(due)
        ]

    def _is_full(self, seen: Observation) -> BoolArray:
        """(core links,) whether it is a full queue that loses packets."""
        configured = self._model.indexing.rate_bps[: self._model.indexing.cores]
        losing = (seen.loss > _LOSSY) & (seen.loss < _DEAD) & ~seen.down
        losing &= seen.arrived_bps > _LEAST * configured
        same = ~_differ(seen.arrived_bps, self._arrived_bps, _SAME)
        plateau = same & _differ(seen.sent_bps, self._sent_bps, _SENT_MORE)
        # Evidence a second ago, and just as much arrives: the same queue is still full.
        full = losing & (seen.standing | plateau | ((self._less > 0) & same))
        self._sent_bps = np.where(losing, seen.sent_bps, np.nan)
        self._arrived_bps = np.where(losing, seen.arrived_bps, np.nan)
        return np.asarray(full)

    def _believe(self, link: int, rate_bps: float, seen: Observation) -> CapacityLearnt:
        model = self._model
        name, configured_bps = model.indexing.directions[link], model.indexing.rate_bps[link]
        before_bps = float(model.rate_bps[link])
        factors = {**model.correction.capacity_factor, name: float(rate_bps / configured_bps)}
        model.correction = replace(model.correction, capacity_factor=factors)
        return CapacityLearnt(
            t_s=seen.end_s,
            sender=name[0],
            receiver=name[1],
            configured_bps=float(configured_bps),
            before_bps=before_bps,
            after_bps=float(rate_bps),
            loss=float(np.nan_to_num(seen.loss[link])),
        )


def _differ(now: FloatArray, before: FloatArray, share: float) -> BoolArray:
    """Whether they differ by more than `share`; they do not where either is unknown."""
    return np.asarray(np.abs(now - before) > share * before)

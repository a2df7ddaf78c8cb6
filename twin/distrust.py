"""Counters of pairs that are stuck, or jump: the twin goes by estimates instead."""

from __future__ import annotations

import numpy as np

from topologies.model import OdPair
from twin.imputation import Imputer
from twin.indexing import FloatArray
from twin.mirror import Mirror
from twin.records import Distrusted


class CounterWatch:
    """Has the counters judged after every complete interval; the verdict holds until the next."""

    def __init__(self, imputer: Imputer) -> None:
        self._imputer = imputer
        self.distrusted: frozenset[OdPair] = frozenset()

    def trust_all(self, now_s: float) -> list[Distrusted]:
        """Nobody can be judged now, which holds for earlier verdicts, too; return what is new."""
        if not self.distrusted:
            return []
        self.distrusted = frozenset()
        return [Distrusted(t_s=now_s, pairs=())]

    def judge(
        self, mirror: Mirror, start_s: float, end_s: float, now_s: float, recent_bps: FloatArray
    ) -> list[Distrusted]:
        """Judge [start_s, end_s), within which no route changed; return what is new.

        `recent_bps` (intervals, pairs) are the mean rates before, NaN for gaps.
        """
        if np.isnan(recent_bps).all():
            return []
        indexing = mirror.indexing
        suspects = self._imputer.suspects(
            mirror.mean_od_bps(start_s, end_s),
            recent_bps,
            mirror.mean_sent_bps(start_s, end_s),
            indexing.crossing(mirror.routing, mirror.link_loss(start_s, end_s)),
        )
        pairs = tuple(indexing.pairs[index] for index in np.flatnonzero(suspects))
        if self.distrusted == frozenset(pairs):
            return []
        self.distrusted = frozenset(pairs)
        return [Distrusted(t_s=now_s, pairs=pairs)]

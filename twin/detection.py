"""Anomaly detection: a volumetric flood on one victim from one or few sources.

A pair is suspicious by what it sends beyond a multiple of its rate in any recent interval and of
its forecast, beyond what the growth of everything else explains. The alarm goes up when this excess
towards one victim reaches a good share of a link. Benign traffic surges everywhere, or on pairs
that have been large before; a flood does neither.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from topologies.model import OdPair
from twin.indexing import BoolArray, FloatArray, Indexing

RECENT_INTERVALS = 8
"""The highest rates of these are what is expected of a pair."""

_USUAL_FACTOR = 2.0  # times the expected rate of a pair is still usual
_YOUNG = 2.0  # widens that by 1 + _YOUNG / intervals seen: few intervals know little
_FEWEST_INTERVALS = 2  # before these nothing is expected
_UNTAUGHT_SHARE = 0.2  # of a link's rate: excess that raises the alarm if no history tells better
_LEAST_SHARE, _MOST_SHARE = 0.08, 0.4  # of a link's rate: bounds of the threshold
_MARGIN = 1.5  # threshold over the excess that benign traffic was seen to reach
_BENIGN_QUANTILE = 0.999
_AFTERMATH = 0.5  # of the threshold is enough for further sources of a flood under way
_SOURCE_SHARE = 0.1  # of the largest excess: what names a further source
_CONCENTRATION = 0.6  # of all excess in the network goes to the victim, or it is no flood
_SURGE_LIMIT = 3.0  # growth of everything else beyond which nothing can be told
_SEEN_ON_PORT = 0.6  # of the excess must also have entered at the source's port


@dataclass(frozen=True)
class Suspicion:
    """A flood: who is hit, by whom, and how clear it is."""

    victim: str
    sources: tuple[str, ...]
    score: float
    """Excess over the alarm threshold."""
    excess_bps: float


class FloodDetector:
    """Compares what the pairs send now with what they were expected to send.

    `benign_share` gives what the function of this name says of a history of benign traffic, if
    there is one; it is asked each time, since it may be known only later.
    """

    def __init__(
        self, indexing: Indexing, benign_share: Callable[[], float | None] = lambda: None
    ) -> None:
        self._indexing = indexing
        self._benign_share = benign_share
        hosts = [host.name for host in indexing.topology.hosts]
        self._hosts = hosts
        core_bps = np.median(indexing.rate_bps[: indexing.cores]) if indexing.cores else np.inf
        links = [indexing.link[indexing.topology.switch_of[h], h] for h in hosts]
        self._link_bps = np.minimum(indexing.rate_bps[links], core_bps)
        self._uplink = np.array(
            [indexing.link[h, indexing.topology.switch_of[h]] for h in hosts], dtype=int
        )

    def inspect(
        self,
        od_bps: FloatArray,
        expected_bps: FloatArray,
        intervals: int,
        link_bps: FloatArray,
        under_attack: Collection[str] = (),
        dropped: Collection[OdPair] = (),
    ) -> list[Suspicion]:
        """Look for floods.

        Args:
            od_bps: (pairs,) rates now; NaN where unknown.
            expected_bps: (pairs,) the highest rate that was recently seen or is forecast.
            intervals: how many intervals `expected_bps` rests on.
            link_bps: (links,) rates of the same time, by port counters.
            under_attack: victims of floods already found, watched more closely.
            dropped: pairs already dealt with.
        """
        if intervals < _FEWEST_INTERVALS:
            return []
        known = ~np.isnan(od_bps)
        known[[self._indexing.pair[pair] for pair in dropped]] = False
        now, expected_bps = np.where(known, od_bps, 0.0), np.where(known, expected_bps, 0.0)
        everywhere = _excess(now, expected_bps, intervals).sum()
        thresholds = self._thresholds(float(expected_bps.sum()))
        found = []
        for victim, name in enumerate(self._hosts):
            towards = self._indexing.target == victim
            surge = _growth(now[~towards], expected_bps[~towards])
            if surge > _SURGE_LIMIT:
                continue
            excess = _excess(now, expected_bps * max(surge, 1.0), intervals) * towards
            excess[~self._entered(excess, link_bps)] = 0.0
            threshold = thresholds[victim] * (_AFTERMATH if name in under_attack else 1.0)
            if excess.sum() >= max(threshold, _CONCENTRATION * everywhere):
                found.append(self._suspicion(name, excess, float(threshold)))
        return found

    def _thresholds(self, expected_total_bps: float) -> FloatArray:
        """(hosts,) excess towards each host that raises the alarm, in bit/s."""
        share = self._benign_share()
        if share is None:
            return _UNTAUGHT_SHARE * self._link_bps
        learned_bps = _MARGIN * share * expected_total_bps
        bounds = (_LEAST_SHARE * self._link_bps, _MOST_SHARE * self._link_bps)
        return np.asarray(np.clip(learned_bps, *bounds))

    def _entered(self, excess: FloatArray, link_bps: FloatArray) -> BoolArray:
        """(pairs,) whether the source's port saw the excess too: flow counters may hiccup."""
        uplink = link_bps[self._uplink[self._indexing.source]]
        return np.asarray(np.isnan(uplink) | (uplink >= _SEEN_ON_PORT * excess))

    def _suspicion(self, victim: str, excess: FloatArray, threshold: float) -> Suspicion:
        named = np.flatnonzero(excess >= _SOURCE_SHARE * excess.max())
        return Suspicion(
            victim=victim,
            sources=tuple(self._hosts[self._indexing.source[pair]] for pair in named),
            score=float(excess.sum()) / threshold,
            excess_bps=float(excess.sum()),
        )


def benign_share(indexing: Indexing, history_bps: FloatArray) -> float:
    """How far benign traffic strays: the excess towards any one host that it hardly ever passes.

    As a share of all that is expected, from a history (intervals, pairs) without floods; zero if
    it is too short to tell.
    """
    hosts = len(indexing.topology.hosts)
    shares = []
    for now in range(RECENT_INTERVALS, len(history_bps)):
        expected = history_bps[now - RECENT_INTERVALS : now].max(axis=0)
        excess = _excess(history_bps[now], expected, RECENT_INTERVALS)
        largest = np.bincount(indexing.target, excess, hosts).max()
        shares.append(largest / max(expected.sum(), 1.0))
    return float(np.quantile(shares, _BENIGN_QUANTILE)) if shares else 0.0


def _excess(now_bps: FloatArray, expected_bps: FloatArray, intervals: int) -> FloatArray:
    factor = _USUAL_FACTOR * (1 + _YOUNG / intervals)
    return np.maximum(now_bps - factor * expected_bps, 0.0)


def _growth(now: FloatArray, expected: FloatArray) -> float:
    total = expected.sum()
    return float(now.sum() / total) if total else float("inf")

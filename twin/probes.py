"""What the controller's timed probes told of every core link lately."""

from __future__ import annotations

from collections import deque

import numpy as np

from controller.messages import LinkDelay, LinkDelays
from twin.indexing import FloatArray, Indexing

_UNCERTAIN_MS, _UNCERTAIN_SHARE = 5.0, 0.2


class LinkProbes:
    """The probes of the last `keep_s` seconds. Arrays per link follow `Indexing.directions`."""

    def __init__(self, indexing: Indexing, keep_s: float) -> None:
        self._indexing = indexing
        self._keep_s = keep_s
        self._told: list[deque[tuple[float, float]]] = [deque() for _ in indexing.directions]
        """Of each link: when, and the delay in ms; NaN for a probe that did not come."""

    def receive(self, message: LinkDelays) -> None:
        """Take in what one switch's probes have measured, unless later ones are known."""
        for probe in message.links:
            told = self._told[self._indexing.link[message.datapath, probe.neighbour]]
            if (told and message.t_s <= told[-1][0]) or _says_nothing(probe):
                continue
            told.append((message.t_s, np.nan if probe.delay_ms is None else probe.delay_ms))
            while told[0][0] < message.t_s - self._keep_s:
                told.popleft()

    def newest(self) -> tuple[FloatArray, FloatArray]:
        """(links,) the last known delay in ms as it was told, and when; NaN where there is none."""
        last = np.full((len(self._told), 2), np.nan)
        for link, told in enumerate(self._told):
            last[link] = next((one for one in reversed(told) if not np.isnan(one[1])), np.nan)
        return last[:, 1], last[:, 0]

    def delay_ms(self, start_s: float, end_s: float) -> FloatArray:
        """(links,) least of the delays told over [start_s, end_s); NaN where there are none.

        A busy machine can only make a probe late. What half of the links have in common by which
        they exceed their propagation is taken for that, and left out.
        """
        least = np.full(len(self._told), np.nan)
        for link, told in enumerate(self._told):
            known = [ms for t_s, ms in told if start_s <= t_s < end_s and not np.isnan(ms)]
            if known:
                least[link] = min(known)
        excess = least - self._indexing.delay_ms
        common = np.nanmedian(excess) if np.isfinite(excess).any() else 0.0
        own = np.where(excess > 0, np.maximum(excess - max(common, 0.0), 0.0), excess)
        return np.asarray(self._indexing.delay_ms + own)

    def lost(self, start_s: float, end_s: float) -> FloatArray:
        """(links,) share of the probes told over [start_s, end_s) that did not come; NaN: none."""
        share = np.full(len(self._told), np.nan)
        for link, told in enumerate(self._told):
            missed = [np.isnan(ms) for t_s, ms in told if start_s <= t_s < end_s]
            if missed:
                share[link] = np.mean(missed)
        return share


def _says_nothing(probe: LinkDelay) -> bool:
    """Whether the control channels were so slow that the delay could as well be theirs."""
    if probe.delay_ms is None or probe.error_ms is None:
        return False
    return probe.error_ms > max(_UNCERTAIN_MS, _UNCERTAIN_SHARE * probe.delay_ms)

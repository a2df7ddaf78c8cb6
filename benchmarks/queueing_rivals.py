"""What textbooks would say of a sample: every link a queue by itself, Poisson arrivals.

M/M/1 and M/D/1 know no end of their queue, so above `_NEARLY_FULL` they are taken at that load;
what a link cannot carry is lost. M/M/1/K has the real bound. The service time is that of the
largest frame. What the machine adds at every link can be fitted to samples.

L. Kleinrock, "Queueing Systems", volume 1, Wiley 1975, chapters 3 and 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize

from twin.fitting import Case, Told
from twin.indexing import FloatArray
from twin.model import FRAME_BITS, beyond_mean_ms
from twin.routed_pairs import RoutedPairs

_NEARLY_FULL = 0.99
_ROUNDS = 6
_FIRST_GUESS = (0.2, 0.1)

Machine = tuple[float, float]
"""Milliseconds that the machine adds at every core and every access link."""
Queue = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray, FloatArray]]
"""From (links,) load and room: mean and variance of the packets that one waits for, and loss."""


def mm1(load: FloatArray, _room: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """M/M/1: exponential lengths, no bound."""
    busy = np.minimum(load, _NEARLY_FULL)
    mean = busy / (1 - busy)
    return mean, (2 * busy - busy**2) / (1 - busy) ** 2, _overflow(load)


def md1(load: FloatArray, _room: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """M/D/1: constant lengths, no bound."""
    busy = np.minimum(load, _NEARLY_FULL)
    mean = busy / (2 * (1 - busy))
    return mean, mean**2 + busy / (3 * (1 - busy)), _overflow(load)


def mm1k(load: FloatArray, room: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """M/M/1/K: the real bound, the frame being sent not counted."""
    places = np.arange(int(room.max()) + 2)
    logs = places * np.log(np.maximum(load, 1e-9))[:, None]
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    weights[places > room[:, None] + 1] = 0.0
    share = weights / weights.sum(axis=1, keepdims=True)
    lost = share[np.arange(len(load)), room.astype(int) + 1]
    share[np.arange(len(load)), room.astype(int) + 1] = 0.0
    met = share / share.sum(axis=1, keepdims=True)
    mean = met @ places
    # One waits for an exponential time for every packet that one meets.
    return mean, met @ places**2 - mean**2 + mean, lost


def predict(case: Case, queue: Queue, machine: Machine = (0.0, 0.0)) -> Told:
    """What `queue` says, at every link."""
    ix, routed = case.indexing, case.routed
    loss = np.zeros((1, len(ix.directions)))
    for _ in range(_ROUNDS):
        load = routed.loads(case.od_bps[None], loss)[0] / ix.rate_bps
        mean, variance, lost = queue(load, ix.queue_packets)
        loss = lost[None]
    packet_ms = FRAME_BITS / ix.rate_bps * 1e3
    waiting_ms = _path(routed, mean * packet_ms)
    idle_ms = _path(routed, ix.delay_ms) + case.frame_bits * 1e3 * _path(routed, 1 / ix.rate_bps)
    beyond_ms = beyond_mean_ms(waiting_ms, _path(routed, variance * packet_ms**2))
    delay_ms = waiting_ms + idle_ms + np.array(machine) @ _crossed(case)
    return delay_ms, delay_ms + beyond_ms, 1 - routed.kept(loss)[0]


def fitted_machine(cases: Sequence[Case], queue: Queue) -> Machine:
    """What the machine adds, so that relative errors of mean delays are least."""
    counted = [case.counted for case in cases]
    told = [predict(case, queue)[0][some] for case, some in zip(cases, counted, strict=True)]
    crossed = [_crossed(case)[:, some] for case, some in zip(cases, counted, strict=True)]
    real = [case.mean_ms[some] for case, some in zip(cases, counted, strict=True)]
    told_ms, real_ms, links = np.concatenate(told), np.concatenate(real), np.hstack(crossed)

    def off(machine_ms: FloatArray) -> float:
        return float(np.abs((told_ms + np.abs(machine_ms) @ links) / real_ms - 1).mean())

    core_ms, access_ms = np.abs(minimize(off, _FIRST_GUESS, method="Nelder-Mead").x)
    return float(core_ms), float(access_ms)


def _crossed(case: Case) -> FloatArray:
    """(2, pairs) how many core and access links each crosses."""
    ix = case.indexing
    core = (np.arange(len(ix.directions)) < ix.cores).astype(np.float64)
    return np.array([_path(case.routed, links) for links in (core, 1 - core)])


def _path(routed: RoutedPairs, links: FloatArray) -> FloatArray:
    return np.asarray(routed.sums(links[None])[0])


def _overflow(load: FloatArray) -> FloatArray:
    return np.asarray(1 - 1 / np.maximum(load, 1.0))

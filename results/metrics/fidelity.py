"""How well the machine carried a run, in figures: the worst that was seen of each kind.

A function returns None for what was not recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from generators.records import Segment
from results.metrics.replay import sent_percent
from results.run_directory import Event
from results.timeline import Window
from testbed.records import FidelitySample, IdleLink, IdlePath, ProbeStream

LATE_MS = 20.0
"""A frame released so late is seen in any figure of a run."""

SATURATED_PERCENT = 97.0
"""So busy are the processors of a machine that has nothing left to give."""

JITTERS = 2.0
"""A median of some ten frames strays from the middle by less than this many jitters."""


@dataclass(frozen=True)
class Measured:
    """A figure, and where it is from."""

    value: float
    where: str = ""


def idle_error_ms(checked: Iterable[IdleLink | IdlePath]) -> Measured | None:
    """Return the largest difference to a configured delay, beyond what jitter explains."""
    errors = [
        Measured(
            max(0.0, abs(one.measured_ms - one.configured_ms) - JITTERS * one.jitter_ms),
            f"{one.src} → {one.dst}",
        )
        for one in checked
        if one.measured_ms is not None
    ]
    return max(errors, key=lambda one: one.value, default=None)


def lateness_p99_ms(samples: Sequence[FidelitySample]) -> Measured | None:
    """Return how late frames were released in the median second."""
    return _median([sample.lateness_p99_ms for sample in samples])


def late_on_end_s(samples: Sequence[FidelitySample]) -> Measured | None:
    """Return for how many seconds on end frames were released over `LATE_MS` late."""
    return _longest(sample.lateness_p99_ms > LATE_MS for sample in samples)


def saturated_on_end_s(samples: Sequence[FidelitySample]) -> Measured | None:
    """Return for how many seconds on end the processors were over `SATURATED_PERCENT` busy."""
    return _longest(sample.cpu_percent > SATURATED_PERCENT for sample in samples)


def switch_wait_percent(samples: Sequence[FidelitySample]) -> Measured | None:
    """Return how much of the median second ovs-vswitchd waited for a processor."""
    return _median([s.switch_wait_percent for s in samples if s.switch_wait_percent is not None])


def step_lateness_ms(events: Iterable[Event], window: Window) -> Measured | None:
    """Return how much later than stated the latest step of the timeline was in force."""
    late = [
        Measured(1e3 * (event.t_s - float(event.detail["stated_s"])), event.event)
        for event in events
        if "stated_s" in event.detail and window.holds(event.t_s)
    ]
    return max(late, key=lambda one: one.value, default=None)


def probe_lateness_p99_ms(streams: Iterable[ProbeStream], window: Window) -> Measured | None:
    """Return by how much a probe packet came later after the one before than its spacing."""
    late_ms = []
    for stream in streams:
        sent_s = np.array([t_s for t_s in stream.sent_s if window.holds(t_s)])
        late_ms.append(np.maximum(0.0, 1e3 * np.diff(sent_s) - stream.spacing_ms))
    return _p99(np.concatenate(late_ms)) if late_ms else None


def traffic_lateness_p99_ms(segments: Iterable[Segment], window: Window) -> Measured | None:
    """Return how long after they were due the UDP clients of the replay were started."""
    starts = [
        (one.start_s, one.started_s)
        for one in segments
        if window.holds(one.start_s) and one.transport == "udp"
    ]
    return _p99([1e3 * max(0.0, started_s - start_s) for start_s, started_s in starts])


def unsent_percent(segments: Iterable[Segment], window: Window) -> Measured | None:
    """Return how much of the workload asked for was not sent."""
    sent = sent_percent(segments, window)
    return None if sent is None else Measured(max(0.0, 100.0 - sent))


def _median(values: Sequence[float]) -> Measured | None:
    return Measured(float(np.median(values))) if values else None


def _p99(values: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]]) -> Measured | None:
    return Measured(float(np.percentile(values, 99))) if len(values) else None


def _longest(bad: Iterable[bool]) -> Measured:
    """Return the longest run of seconds."""
    runs = (len(list(run)) for is_bad, run in groupby(bad) if is_bad)
    return Measured(float(max(runs, default=0)))

"""Whether a run is a result at all: the machine must have carried what was asked of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from results.metrics.replay import sent_percent
from results.recording import Recording
from results.timeline import Window
from testbed.records import FidelitySample

LATENESS_MEDIAN_MS = 2.0
"""Frames may be released so late (99th percentile of a second), in the median second. An idle lab
stays below 0.5 ms, the loaded Abilene network near it."""

LATENESS_WORST_MS = 20.0
"""And so late in any second, unless it is over within `SUSTAINED_S`: more would be seen in p95."""

CPU_SATURATED_PERCENT = 97.0
"""With all processors this busy, processes wait for each other; good runs are at about 80 %."""

SUSTAINED_S = 3
"""Seconds in a row that make a bad second a bad run."""

SENT_PERCENT = 95.0
"""The senders must have sent so much of what was asked of them."""


@dataclass(frozen=True)
class Verdict:
    """Whether the figures of a run may be used, and if not, why not."""

    reasons: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """No reason against it."""
        return not self.reasons


def judge(recording: Recording) -> Verdict:
    """Judge a run by what it recorded of itself."""
    return Verdict(tuple(_reasons(recording)))


def _reasons(recording: Recording) -> Iterator[str]:
    for event in recording.events:
        if event.event == "problem":
            yield str(event.detail.get("reason", event.detail))
        elif event.event == "interrupted":
            yield "the run was interrupted"
    if recording.window is None:
        yield "the run ended before anything was measured"
        return
    if not recording.complete:
        yield "the run ended before its measured window was over"
    window = recording.window
    if not any(window.share(r.start_s, r.end_s) for r in recording.workload):
        yield "no packet of the workload was received in the measured window"
    sent = sent_percent(recording.segments, window)
    if sent is not None and sent < SENT_PERCENT:
        yield (
            f"the senders sent {sent:.1f} % of what was asked of them "
            f"(at least {SENT_PERCENT:.0f} % are needed): lower the load, or use a faster machine"
        )
    yield from _fidelity_reasons([s for s in recording.fidelity if _within(window, s)])


def _within(window: Window, sample: FidelitySample) -> bool:
    return window.holds(sample.t_s)


def _fidelity_reasons(samples: Sequence[FidelitySample]) -> Iterator[str]:
    if not samples:
        yield "the lab's own fidelity was not recorded in the measured window"
        return
    median_ms = float(np.median([sample.lateness_p99_ms for sample in samples]))
    if median_ms > LATENESS_MEDIAN_MS:
        yield (
            f"frames were released {median_ms:.1f} ms late (p99 of the median second; "
            f"at most {LATENESS_MEDIAN_MS:.0f} ms)"
        )
    late_s = _longest_run(sample.lateness_p99_ms > LATENESS_WORST_MS for sample in samples)
    if late_s >= SUSTAINED_S:
        yield f"frames were released over {LATENESS_WORST_MS:.0f} ms late for {late_s} s on end"
    busy_s = _longest_run(sample.cpu_percent > CPU_SATURATED_PERCENT for sample in samples)
    if busy_s > SUSTAINED_S:
        yield (
            f"all processors were over {CPU_SATURATED_PERCENT:.0f} % busy for {busy_s} s on end: "
            "lower the load, or use a faster machine"
        )


def _longest_run(bad: Iterable[bool]) -> int:
    return max((len(list(run)) for is_bad, run in groupby(bad) if is_bad), default=0)

"""The clock, the timers and the processors of this machine, as a lab finds them now."""

from __future__ import annotations

import select
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from testbed.links.timer import Timer, forbid_timer_slack

_CLOCK_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
_STAT = Path("/proc/stat")
_STEAL = 7
"""Position after the word "cpu". What follows, guest time, is part of user time."""


@dataclass(frozen=True)
class Clock:
    """CLOCK_MONOTONIC."""

    source: str
    """What the kernel reads it from, e.g. "tsc"; "unknown" if it does not say."""
    resolution_ns: float


@dataclass(frozen=True)
class Lateness:
    """How long after the instant that a timer was set for its process ran."""

    median_ms: float
    p99_ms: float


@dataclass(frozen=True)
class ProcessorTime:
    """Of all processors since boot, in clock ticks; see proc_stat(5)."""

    stolen: int
    """A processor was wanted, and the hypervisor ran something else."""
    total: int


def clock() -> Clock:
    """The clock of all records."""
    try:
        source = _CLOCK_SOURCE.read_text().strip()
    except OSError:  # containers may hide it
        source = "unknown"
    return Clock(source, time.get_clock_info("monotonic").resolution * 1e9)


def timer_lateness(timers: int = 200, after_ms: float = 1.0, at_most_s: float = 1.0) -> Lateness:
    """Set `timers`, one after the other, at ordinary priority; fewer if they take `at_most_s`."""
    forbid_timer_slack()
    timer, after_ns = Timer(), round(after_ms * 1e6)
    end_ns = time.monotonic_ns() + round(at_most_s * 1e9)
    late_ns: list[int] = []
    while len(late_ns) < 2 or (len(late_ns) < timers and time.monotonic_ns() < end_ns):
        due_ns = time.monotonic_ns() + after_ns
        timer.arm(due_ns)
        select.select([timer], [], [])
        late_ns.append(time.monotonic_ns() - due_ns)
        timer.acknowledge()
    percentiles_ns = statistics.quantiles(late_ns, n=100, method="inclusive")
    return Lateness(percentiles_ns[49] / 1e6, percentiles_ns[98] / 1e6)


def processor_time() -> ProcessorTime:
    """Since boot."""
    return parse_processor_time(_STAT.read_text())


def parse_processor_time(stat: str) -> ProcessorTime:
    """The first line of /proc/stat. A kernel that tells no stolen time has had none stolen."""
    fields = [int(field) for field in stat.split("\n", 1)[0].split()[1 : _STEAL + 2]]
    return ProcessorTime(sum(fields[_STEAL:]), sum(fields))


def stolen_percent(now: ProcessorTime, before: ProcessorTime | None = None) -> float:
    """Share of the processors' time that was stolen since `before`, or since boot."""
    since = before or ProcessorTime(0, 0)
    total = now.total - since.total
    return 100.0 * (now.stolen - since.stolen) / total if total > 0 else 0.0

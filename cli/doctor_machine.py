"""Processors, memory, clock and timers of this machine, for `twinbed doctor`: good or poor."""

from __future__ import annotations

import os

from cli.doctor_parts import Part
from testbed.machine import Clock, Lateness, ProcessorTime, stolen_percent

_GIB = 2**30
_SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies", "refined-jiffies")
"""Reading them takes microseconds, or they have steps of milliseconds."""
_RESOLUTION_NS = 1000
_LATENESS_MS = 1.0
"""The bound of results/bounds.py for links, which are timers too."""
_STOLEN_PERCENT = 2.0
_LOAD_PER_PROCESSOR = 0.5
_DOUBTFUL = "runs may be marked degraded or invalid"


def processor_parts(
    processors: int, load_average: float, before: ProcessorTime, now: ProcessorTime
) -> list[Part]:
    """How many there are for us, and who else wants them; stolen is counted since `before`."""
    stolen_now, stolen_ever = stolen_percent(now, before), stolen_percent(now)
    return [
        _quality(
            "processors",
            processors >= 2,
            str(processors),
            meaning=f"all share one: keep rates low; {_DOUBTFUL}",
            better="2 or more",
        ),
        _quality(
            "load average",
            load_average <= _LOAD_PER_PROCESSOR * processors,
            f"{load_average:.2f} in the last minute",
            meaning=f"something else runs; {_DOUBTFUL}",
            better="wait until it has ended, or end it",
        ),
        _quality(
            "stolen time",
            stolen_now <= _STOLEN_PERCENT,
            f"{stolen_now:.1f} % now, {stolen_ever:.1f} % since boot",
            meaning=f"other virtual machines use the processors; {_DOUBTFUL}",
            better="processors of one's own, or a quieter host",
        ),
    ]


def memory_part(memory_bytes: int) -> Part:
    """Memory of the machine."""
    return _quality(
        "memory",
        memory_bytes >= 2 * _GIB,
        f"{memory_bytes / _GIB:.1f} GiB",
        meaning="large labs may not fit",
        better="2 GiB or more",
    )


def time_parts(clock: Clock, lateness: Lateness) -> list[Part]:
    """What delays are made with, and measured by."""
    fine = clock.resolution_ns <= _RESOLUTION_NS and clock.source not in _SLOW_CLOCKS
    return [
        _quality(
            "clock",
            fine,
            f"{clock.source}, in steps of {clock.resolution_ns:,.0f} ns",
            meaning="delays are made and measured less exactly",
            better="a processor's own counter (tsc) or the hypervisor's clock as clock source",
        ),
        _quality(
            "timers",
            lateness.p99_ms < _LATENESS_MS,
            f"of 1 ms: {lateness.median_ms:.2f} ms late (median), {lateness.p99_ms:.2f} ms (p99)",
            meaning=f"links come late; {_DOUBTFUL}",
            better="an idle machine; a kernel with high-resolution timers",
        ),
    ]


def processors() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0))


def memory_bytes() -> int:
    """Of the machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _quality(name: str, good: bool, found: str, meaning: str, better: str) -> Part:
    return Part(name, good, found, required=False, instead=meaning, remedy=better, quality=True)

from __future__ import annotations

import pytest

from cli.doctor_machine import memory_part, processor_parts, time_parts
from testbed.machine import Clock, Lateness, ProcessorTime

QUIET = ProcessorTime(stolen=10, total=1000), ProcessorTime(stolen=10, total=1400)


def good(
    processors: int = 2,
    load_average: float = 0.1,
    times: tuple[ProcessorTime, ProcessorTime] = QUIET,
) -> dict[str, bool]:
    parts = processor_parts(processors, load_average, *times)
    assert not any(part.required for part in parts)
    return {part.name: part.available for part in parts}


def test_a_quiet_machine_of_two_processors_is_good() -> None:
    assert all(good().values())


def test_each_of_its_troubles_is_named() -> None:
    assert good(processors=1) == {"processors": False, "load average": True, "stolen time": True}
    assert not good(load_average=1.5)["load average"]
    assert good(load_average=1.5, processors=8)["load average"]
    stolen = ProcessorTime(10, 1000), ProcessorTime(30, 1400)
    assert not good(times=stolen)["stolen time"]


def test_what_was_stolen_in_the_past_is_only_told() -> None:
    times = ProcessorTime(500, 1000), ProcessorTime(500, 1400)
    part = processor_parts(2, 0.0, *times)[2]
    assert part.available
    assert part.found == "0.0 % now, 35.7 % since boot"


def test_memory() -> None:
    assert memory_part(4 << 30).available
    assert not memory_part(1 << 30).available


@pytest.mark.parametrize(
    ("source", "resolution_ns", "p99_ms", "fine"),
    [
        ("tsc", 1.0, 0.2, (True, True)),
        ("hpet", 1.0, 0.2, (False, True)),
        ("unknown", 1.0, 0.2, (True, True)),
        ("timer", 1e7, 12.0, (False, False)),
        ("kvm-clock", 1.0, 3.0, (True, False)),
    ],
)
def test_a_slow_clock_is_poor_and_never_missing(
    source: str, resolution_ns: float, p99_ms: float, fine: tuple[bool, bool]
) -> None:
    parts = time_parts(Clock(source, resolution_ns), Lateness(p99_ms / 2, p99_ms))
    assert tuple(part.available for part in parts) == fine
    assert not any(part.required for part in parts)
    assert all(part.quality for part in parts)

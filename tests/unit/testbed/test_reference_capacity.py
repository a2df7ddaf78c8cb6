"""The search for the highest load that is carried."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.reference.capacity import Capacity, Trial, search
from testbed.reference.errors import MeasurementError


class Machine:
    """Carries every load up to `limit`, apart from single hiccups."""

    def __init__(self, limit: float, hiccups: frozenset[int] = frozenset()) -> None:
        self._limit = limit
        self._hiccups = hiccups
        self.loads: list[float] = []

    def attempt(self, load: float) -> Trial:
        self.loads.append(load)
        hiccup = len(self.loads) in self._hiccups
        return Trial(load, 0.0, 0.1, "lateness" if hiccup or load > self._limit else "none")


@given(st.floats(1_000, 300_000))
def test_the_limit_lies_between_the_two_loads(limit: float) -> None:
    best, beyond = search(Machine(limit).attempt, least=1_000, most=300_000)
    assert best is not None
    assert best.frames_per_s <= limit
    if beyond is None:
        assert best.frames_per_s == limit == 300_000
    else:
        assert limit < beyond.frames_per_s
        # A growth by half, halved three times.
        assert beyond.frames_per_s - best.frames_per_s <= best.frames_per_s / 16 * 1.001


def test_no_load_is_carried() -> None:
    best, beyond = search(Machine(0).attempt, least=1_000, most=300_000)
    assert best is None
    assert beyond is not None
    assert beyond.limit == "lateness"


def test_all_loads_are_carried() -> None:
    machine = Machine(1e9)
    best, beyond = search(machine.attempt, least=100, most=300)
    assert best == Trial(300, 0.0, 0.1, "none")
    assert beyond is None
    assert machine.loads == [100, 150, 225, 300]


def test_one_hiccup_is_no_limit() -> None:
    best, beyond = search(Machine(1e9, frozenset({2})).attempt, least=100, most=300)
    assert best is not None
    assert (best.frames_per_s, beyond) == (300, None)


def test_a_least_load_above_the_most_is_refused() -> None:
    with pytest.raises(MeasurementError, match="no load"):
        search(Machine(1).attempt, least=300, most=100)


def test_what_is_carried_in_megabits() -> None:
    assert Capacity(20, 200, 1_000, 2_000, 1.0).describe() == (
        "how many frames of 200 bytes can be carried"
    )
    assert Capacity(20, 200, 1_000, 2_000, 1.0, 50).describe() == (
        "how many links can be carried, up to 20"
    )

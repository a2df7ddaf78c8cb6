"""What is remembered of gaps that loads have told about, and for how long."""

from __future__ import annotations

import numpy as np

from generators.gaps import NEIGHBOURS
from generators.link_constraints import Agreed
from generators.link_memory import LinkMemory

NAN = np.nan


def agreed(rates: list[float], told: list[bool]) -> Agreed:
    return Agreed(np.array(rates), 0.1 * np.array(rates), np.array(told))


def test_gaps_that_the_loads_told_of_are_completed() -> None:
    memory = LinkMemory()
    first, second = np.array([1.0, NAN, NAN]), np.array([2.0, NAN, 5.0])
    memory.remember(first, agreed([1.0, 10.0, 20.0], [False, True, False]))
    complete, error = memory.completed(np.array([first, second]))
    np.testing.assert_array_equal(complete, [[1.0, 10.0, NAN], [2.0, NAN, 5.0]])
    np.testing.assert_array_equal(error, [0.0, 1.0, 0.0])
    memory.remember(second, agreed([2.0, 30.0, 5.0], [False, True, False]))
    complete, error = memory.completed(np.array([first, second]))
    assert complete[1].tolist() == [2.0, 30.0, 5.0]
    assert error.tolist() == [0.0, 3.0, 0.0]
    assert np.isnan(first[1:]).all(), "what was counted is not written to"


def test_a_rate_that_is_counted_again_is_exact() -> None:
    memory = LinkMemory()
    gap, counted = np.array([NAN, 1.0]), np.array([3.0, 1.0])
    memory.remember(gap, agreed([2.0, 1.0], [True, False]))
    assert memory.completed(np.array([gap, counted]))[1].tolist() == [0.0, 0.0]
    assert memory.completed(np.array([counted, gap]))[1].tolist() == [0.2, 0.0]


def test_what_is_long_past_is_forgotten() -> None:
    memory = LinkMemory()
    rows = np.array([[float(number), NAN] for number in range(1000)])
    for row in rows:
        memory.remember(row, agreed([row[0], 7.0], [False, True]))
    assert np.isnan(memory.completed(rows[:NEIGHBOURS])[0][:, 1]).all()
    assert (memory.completed(rows[-NEIGHBOURS:])[0][:, 1] == 7.0).all()

from __future__ import annotations

import numpy as np

from twin.cusum import Cusum


def changes(*values: float) -> list[tuple[int, int]]:
    """(number of the value, state from then on)."""
    cusum = Cusum(1)
    return [
        (number, int(cusum.drifting[0]))
        for number, value in enumerate(values)
        if cusum.add(np.array([value]))[0]
    ]


def test_noise_within_the_tolerance_is_no_drift() -> None:
    noise = np.random.default_rng(1).uniform(-1, 1, 2000)
    assert changes(*noise) == []


def test_one_wild_value_or_two_are_no_drift() -> None:
    assert changes(0, 100, 100, 0, 0, -100, 0) == []


def test_a_lasting_error_is_one_drift_until_it_is_right_again() -> None:
    assert changes(*[2.5] * 10, *[0.5] * 10) == [(3, 1), (14, 0)]


def test_it_tells_the_side() -> None:
    assert changes(*[-4.0] * 5) == [(2, -1)]


def test_what_is_not_known_changes_nothing() -> None:
    nan = float("nan")
    assert changes(4, nan, 4, nan, nan, 4, nan) == [(5, 1)]


def test_series_are_apart() -> None:
    cusum = Cusum(2)
    for _ in range(4):
        cusum.add(np.array([4.0, 0.0]))
    assert cusum.drifting.tolist() == [1, 0]

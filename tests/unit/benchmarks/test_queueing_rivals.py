"""The textbook queues against their textbook values."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.queueing_rivals import md1, mm1, mm1k

ROOM = np.array([20.0, 20.0])


def test_mm1_and_md1_at_half_load() -> None:
    load = np.array([0.5, 0.8])
    assert mm1(load, ROOM)[0] == pytest.approx([1, 4])
    assert md1(load, ROOM)[0] == pytest.approx([0.5, 2])


def test_a_bounded_queue_is_the_unbounded_one_while_it_is_short() -> None:
    load = np.array([0.3, 0.5])
    for bounded, unbounded in zip(mm1k(load, ROOM), mm1(load, ROOM), strict=True):
        assert bounded == pytest.approx(unbounded, abs=2e-3)


def test_overload_loses_what_does_not_fit() -> None:
    load = np.array([2.0, 1.25])
    for queue in (mm1, md1, mm1k):
        assert queue(load, ROOM)[2] == pytest.approx([0.5, 0.2], abs=0.01)

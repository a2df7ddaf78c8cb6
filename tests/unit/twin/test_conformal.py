from __future__ import annotations

import math

import numpy as np
import pytest

from twin.conformal import margin


def test_margin_covers_new_errors_as_often_as_asked() -> None:
    random = np.random.default_rng(0)
    covered = [
        abs(random.standard_t(3)) <= margin(np.abs(random.standard_t(3, 50)), 0.9)
        for _ in range(2000)
    ]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.03)


def test_too_few_scores_promise_nothing() -> None:
    assert margin(np.ones(5), 0.9) == math.inf

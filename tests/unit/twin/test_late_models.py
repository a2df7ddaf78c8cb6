from __future__ import annotations

import subprocess
import sys
from threading import Event

import numpy as np
import pytest

from twin.forecaster import Forecaster, PersistenceForecaster
from twin.imputation import Imputer, Persistence
from twin.late_models import LateModels

PAIRS = 3
NOTHING = np.zeros((0, PAIRS))


class Doubling(PersistenceForecaster):
    """Expects twice of everything."""

    def forecast(self, history_bps: np.ndarray) -> np.ndarray:
        return 2 * super().forecast(history_bps)


class Sevens(Persistence):
    """Fills with sevens."""

    def impute(self, rates_bps: np.ndarray, *_: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(rates_bps), 7.0, rates_bps)


def test_they_are_naive_until_they_are_there() -> None:
    let_go = Event()

    def load() -> tuple[Forecaster, Imputer]:
        assert let_go.wait(30.0)
        return Doubling(), Sevens(PAIRS)

    models = LateModels(load, PAIRS)
    past, gap = np.ones((4, PAIRS)), np.array([5.0, np.nan, 5.0])
    assert not models.loaded
    models.raise_failure()
    assert models.forecast(past)[0, 0] == 1.0
    assert models.impute(gap, NOTHING, NOTHING, NOTHING)[1] == 0.0
    let_go.set()
    while not models.loaded:
        pass
    assert models.forecast(past)[0, 0] == models.band(past).point_bps[0, 0] == 2.0
    assert models.impute(gap, NOTHING, NOTHING, NOTHING)[1] == 7.0


def test_what_keeps_them_from_loading_is_raised() -> None:
    def load() -> tuple[Forecaster, Imputer]:
        raise ValueError("no such weights")

    with pytest.raises(ValueError, match="no such weights"):
        raise_failures_of(LateModels(load, PAIRS))


def raise_failures_of(models: LateModels) -> None:
    while not models.loaded:
        models.raise_failure()


def test_a_twin_begins_without_torch() -> None:
    script = "import sys, twin.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0

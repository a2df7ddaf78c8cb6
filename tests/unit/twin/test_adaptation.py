from __future__ import annotations

import numpy as np
import pytest

from twin.adaptation import Adaptation, Adapted
from twin.band import Band
from twin.indexing import FloatArray

SERIES = 40


def band_around(point: FloatArray, share: float = 0.1) -> Band:
    return Band((1 - share) * point, point, (1 + share) * point)


def follow(
    learnt: FloatArray, actual: FloatArray, persistence: FloatArray, ahead: int = 1
) -> list[Adapted]:
    """Forecast step by step; what became of a forecast is known `ahead` steps later."""
    adaptation = Adaptation(1, actual.shape[1], ahead)
    made: list[Adapted] = []
    for step in range(len(actual)):
        if step >= ahead:
            adaptation.learn(made[step - ahead], actual[step - ahead])
        made.append(adaptation.adapt(band_around(learnt[step]), persistence[step][None]))
    return made


def late_error(made: list[Adapted], actual: FloatArray) -> float:
    half = len(made) // 2
    points = np.array([one.band.point_bps for one in made[half:]])
    return float(np.abs(points - actual[half:]).mean())


def walk(steps: int = 400) -> FloatArray:
    random = np.random.default_rng(1)
    return np.asarray(1e6 * np.exp(0.1 * random.normal(size=(steps, SERIES)).cumsum(axis=0) / 3))


def test_nonsense_learnt_beforehand_is_dropped_for_persistence() -> None:
    actual = walk()
    persistence = np.vstack([actual[:1], actual[:-1]])
    nonsense = np.random.default_rng(2).uniform(0, 5e6, actual.shape)
    made = follow(nonsense, actual, persistence)
    naive = float(np.abs(persistence - actual)[len(actual) // 2 :].mean())
    assert late_error(made, actual) < 1.1 * naive


def test_a_good_forecast_is_kept_and_its_bias_corrected() -> None:
    actual = walk()
    persistence = np.vstack([actual[:1], actual[:-1]])
    made = follow(1.3 * actual, actual, persistence)
    assert late_error(made, actual) < 0.3 * np.abs(1.3 * actual - actual).mean()


@pytest.mark.parametrize("spread", [0.01, 0.3])
@pytest.mark.parametrize("ahead", [1, 10])
def test_the_band_comes_to_cover_what_it_says(spread: float, ahead: int) -> None:
    random = np.random.default_rng(3)
    level = np.full((1500, SERIES), 1e6)
    actual = level * np.exp(spread * random.normal(size=level.shape))
    made = follow(level, actual, level, ahead)
    inside = [one.band.covers(row).mean() for one, row in zip(made, actual, strict=True)]
    assert np.mean(inside[1000:]) == pytest.approx(0.9, abs=0.05)


def test_gaps_teach_nothing() -> None:
    adaptation = Adaptation(1, SERIES)
    level = np.full(SERIES, 1e6)
    before = adaptation.adapt(band_around(level), level[None] / 2)
    adaptation.learn(before, np.full(SERIES, np.nan))
    after = adaptation.adapt(band_around(level), level[None] / 2)
    assert (after.band.point_bps == before.band.point_bps).all()
    assert (after.band.upper_bps == before.band.upper_bps).all()


def test_silence_is_forecast_as_silence() -> None:
    silence = np.zeros((20, SERIES))
    last = follow(silence, silence, silence)[-1].band
    assert (last.point_bps == 0).all()
    assert last.covers(silence[0]).all()

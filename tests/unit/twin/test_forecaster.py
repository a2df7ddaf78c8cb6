from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from small_networks import square

from twin.forecast import LearnedForecaster
from twin.forecaster import HORIZONS, LOOKBACK, ForecasterError, PersistenceForecaster
from twin.indexing import FloatArray
from twin.training import train, wape

TOPOLOGY = square()
PAIRS = len(TOPOLOGY.od_pairs)


def waves(steps: int, seed: int = 0) -> FloatArray:
    """Rates that swing with a period of 12 steps: easy to forecast, hard for persistence."""
    random = np.random.default_rng(seed)
    phase = random.uniform(0, 2 * np.pi, PAIRS)
    step = np.arange(steps)[:, None]
    swing = 1 + 0.6 * np.sin(2 * np.pi * step / 12 + phase)
    return np.asarray(1e6 * swing * random.lognormal(0, 0.02, (steps, PAIRS)))


def briefly_trained(steps: int, *histories: FloatArray) -> LearnedForecaster:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("twin.training._STEPS", steps)
        return train(TOPOLOGY, list(histories), seed=1, budget_s=60.0)


@pytest.fixture(scope="module")
def trained() -> LearnedForecaster:
    return briefly_trained(600, waves(300))


def error(forecaster: LearnedForecaster | PersistenceForecaster, rates: FloatArray) -> float:
    spans = range(LOOKBACK, len(rates) - HORIZONS)
    forecasts = np.array([forecaster.forecast(rates[:now]) for now in spans])
    return wape(forecasts, np.array([rates[now : now + HORIZONS] for now in spans]))


def test_it_learns_what_persistence_cannot(trained: LearnedForecaster) -> None:
    held_out = waves(340)[300:]
    assert error(trained, held_out) < 0.6 * error(PersistenceForecaster(), held_out)


def test_it_does_not_depend_on_the_scale_of_the_traffic(trained: LearnedForecaster) -> None:
    history = waves(20)
    assert trained.forecast(50 * history) == pytest.approx(50 * trained.forecast(history), rel=1e-3)


def test_forecasts_are_finite_and_not_negative(trained: LearnedForecaster) -> None:
    history = waves(20)
    history[:, ::2] = 0
    forecast = trained.forecast(history)
    assert forecast.shape == (HORIZONS, PAIRS)
    assert np.isfinite(forecast).all()
    assert (forecast >= 0).all()


def test_it_is_persistence_until_traffic_has_been_seen(trained: LearnedForecaster) -> None:
    one = waves(1)
    assert (trained.forecast(one) == one).all()
    for silence in (0.0, 0.05):
        begun = np.vstack([np.full((5, PAIRS), silence * one.mean()), one])
        assert (trained.forecast(begun) == one).all()
    assert not (trained.forecast(waves(2)) == waves(2)[-1]).all()


def test_weights_survive_a_file(trained: LearnedForecaster, tmp_path: Path) -> None:
    trained.save(tmp_path / "weights.pt")
    loaded = LearnedForecaster.load(tmp_path / "weights.pt", PAIRS)
    assert (loaded.forecast(waves(20)) == trained.forecast(waves(20))).all()
    assert loaded.benign_share == trained.benign_share


def test_noise_leaves_it_no_worse_than_persistence() -> None:
    random = np.random.default_rng(2)
    walk = 1e6 * np.exp(np.cumsum(random.normal(0, 0.05, (200, PAIRS)), axis=0))
    forecaster = briefly_trained(200, walk[:160])
    assert error(forecaster, walk[160:]) < 1.05 * error(PersistenceForecaster(), walk[160:])


@pytest.mark.parametrize(
    "content", [b"", b"no weights", b"PK\x03\x04"], ids=["empty", "text", "cut"]
)
def test_a_file_that_holds_no_weights_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(ForecasterError, match=r"weights\.pt holds no forecaster"):
        LearnedForecaster.load(tmp_path / "weights.pt", PAIRS)


def test_a_missing_file_and_one_of_another_network_are_refused(
    trained: LearnedForecaster, tmp_path: Path
) -> None:
    with pytest.raises(ForecasterError, match="No such file"):
        LearnedForecaster.load(tmp_path / "none.pt", PAIRS)
    trained.save(tmp_path / "weights.pt")
    with pytest.raises(ForecasterError, match="20 OD pairs, this network has 132"):
        LearnedForecaster.load(tmp_path / "weights.pt", 132)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"source": Path("x")}, tmp_path / "weights.pt")
    with pytest.raises(ForecasterError):
        LearnedForecaster.load(tmp_path / "weights.pt", PAIRS)


def test_training_repeats() -> None:
    first, again = (briefly_trained(60, waves(60)) for _ in range(2))
    assert (first.forecast(waves(20)) == again.forecast(waves(20))).all()


def test_histories_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="20 columns"):
        train(TOPOLOGY, np.ones((100, 7)), seed=1)
    with pytest.raises(ValueError, match="at least 9 intervals"):
        train(TOPOLOGY, waves(5), seed=1)


def test_several_histories_are_one_training_set() -> None:
    forecaster = briefly_trained(60, *(waves(20, seed) for seed in range(8)))
    assert np.isfinite(forecaster.forecast(waves(20))).all()

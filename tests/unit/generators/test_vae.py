from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.gaps import MAX_AGE, RECENT, last_known, random_cells, silent_sources
from generators.history import History
from generators.model_files import ModelFileError
from generators.vae import NothingObservedError, TelemetryVae, load_imputer, train_vae

Quick = Callable[[pytest.MonkeyPatch], None]


def test_last_known_looks_back_to_the_newest_rate() -> None:
    nan = np.nan
    recent_bps = np.array([[1.0, 5.0, nan], [2.0, nan, nan], [6.0, nan, nan]])
    before = last_known(recent_bps)
    np.testing.assert_array_equal(before.rates_bps, [6.0, 5.0, nan])
    faded = (0.49 * 1.0 + 0.7 * 2.0 + 6.0) / (0.49 + 0.7 + 1.0)
    np.testing.assert_allclose(before.mean_bps, [faded, 5.0, nan])
    np.testing.assert_array_equal(before.age_steps, [1, 3, MAX_AGE])


def test_gaps_of_the_training() -> None:
    random = np.random.default_rng(0)
    cells = random_cells(random, 200, 30)
    assert cells.shape == (200, RECENT + 1, 30)
    assert 0.2 < cells.mean() < 0.35
    source = np.repeat(np.arange(6.0), 5)
    blocks = silent_sources(random, 200, source)
    assert blocks[:, -1].any(axis=1).all()
    assert (blocks[:, 1:] >= blocks[:, :-1]).all(), "a silence lasts until now"
    by_source = blocks[:, -1].reshape(200, 6, 5)
    assert (by_source.all(axis=2) == by_source.any(axis=2)).all(), "all pairs of a source"


def silence(rates_bps: np.ndarray, host: int) -> np.ndarray:
    seen = rates_bps.copy()
    seen[host * 11 : host * 11 + 11] = np.nan
    return seen


def test_observed_rates_stay_and_gaps_are_filled(
    trained_vae: TelemetryVae, history: History
) -> None:
    rates_bps = history.rates_bps[500]
    seen = silence(rates_bps, 2)
    filled = trained_vae.impute(seen, history.rates_bps[490:500])
    known = ~np.isnan(seen)
    np.testing.assert_array_equal(filled[known], rates_bps[known])
    assert (filled >= 0).all()


def test_block_gaps_are_filled_better_than_by_the_mean(
    trained_vae: TelemetryVae, history: History
) -> None:
    training, held_out = (part.rates_bps for part in history.split(0.75))
    errors = {"vae": 0.0, "mean": 0.0, "persistence": 0.0}
    for now in range(20, len(held_out), 7):
        truth, seen = held_out[now], silence(held_out[now], now % 12)
        recent = held_out[now - 6 : now].copy()
        recent[-2:, np.isnan(seen)] = np.nan
        hidden = np.isnan(seen)
        errors["vae"] += np.abs(trained_vae.impute(seen, recent) - truth)[hidden].sum()
        errors["mean"] += np.abs(training.mean(axis=0) - truth)[hidden].sum()
        errors["persistence"] += np.abs(recent[-3] - truth)[hidden].sum()
    assert errors["vae"] < 0.7 * errors["mean"]
    assert errors["vae"] < 1.1 * errors["persistence"]


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-4, 1e4), host=st.integers(0, 11), with_past=st.booleans())
def test_the_answer_scales_with_the_rates(
    trained_vae: TelemetryVae, history: History, scale: float, host: int, with_past: bool
) -> None:
    seen = silence(history.rates_bps[400], host)
    recent = history.rates_bps[390:400] if with_past else None
    wanted = trained_vae.impute(seen, recent)
    scaled = trained_vae.impute(scale * seen, None if recent is None else scale * recent)
    np.testing.assert_allclose(scaled, scale * wanted, rtol=1e-3, atol=scale * wanted.max() * 1e-5)


def test_everything_missing_now_is_filled_from_the_past(
    trained_vae: TelemetryVae, history: History
) -> None:
    past = history.rates_bps[300:310]
    filled = trained_vae.impute(np.full(132, np.nan), past)
    assert filled.sum() == pytest.approx(past[-1].sum(), rel=0.25)


def test_nothing_observed_is_an_error(trained_vae: TelemetryVae) -> None:
    nothing = np.full(132, np.nan)
    with pytest.raises(NothingObservedError):
        trained_vae.impute(nothing)
    with pytest.raises(NothingObservedError):
        trained_vae.impute(nothing, np.full((4, 132), np.nan))


def test_silent_network_stays_silent(trained_vae: TelemetryVae) -> None:
    seen = np.zeros(132)
    seen[:11] = np.nan
    assert trained_vae.impute(seen, np.zeros((3, 132))).max() < 1e6


def test_same_seed_same_weights_and_saved_ones_too(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: Quick
) -> None:
    quick(monkeypatch)
    a, b = (train_vae(history, seed=2, budget_s=60) for _ in range(2))
    a.save(tmp_path / "vae.pt")
    seen = silence(history.rates_bps[100], 4)
    wanted = a.impute(seen, history.rates_bps[90:100])
    for other in (b, load_imputer(tmp_path / "vae.pt")):
        np.testing.assert_array_equal(other.impute(seen, history.rates_bps[90:100]), wanted)


def test_a_file_that_is_no_vae_is_named(tmp_path: Path, trained_gan: object) -> None:
    trained_gan.save(tmp_path / "vae.pt")  # type: ignore[attr-defined]
    with pytest.raises(ModelFileError, match=r"vae\.pt: not a model of the kind telemetry-vae"):
        load_imputer(tmp_path / "vae.pt")

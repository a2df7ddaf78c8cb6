from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generators.gaps import NEIGHBOURS, SPAN, around, random_cells, silent_sources
from generators.history import History
from generators.model_files import ModelFileError
from generators.vae import NothingObservedError, TelemetryVae, load_imputer, train_vae

Quick = Callable[[pytest.MonkeyPatch], None]


def test_the_nearest_known_rates_on_either_side() -> None:
    nan = np.nan
    past_bps = np.array([[[1.0, 5.0], [2.0, nan], [nan, nan]]])
    future_bps = np.array([[[nan, 7.0], [8.0, nan]]])
    nearby = around(past_bps, future_bps)
    assert nearby.rates_bps.shape == (1, 2, 2 * NEIGHBOURS)
    np.testing.assert_array_equal(nearby.rates_bps[0, 0, :3], [2.0, 1.0, nan])
    np.testing.assert_array_equal(nearby.age_steps[0, 0, :3], [2, 3, SPAN + 1])
    np.testing.assert_array_equal(nearby.rates_bps[0, :, NEIGHBOURS], [8.0, 7.0])
    np.testing.assert_array_equal(nearby.age_steps[0, :, NEIGHBOURS], [2, 1])


def test_gaps_of_the_training() -> None:
    random = np.random.default_rng(0)
    cells = random_cells(random, 200, 30)
    assert cells.shape == (200, 2 * SPAN + 1, 30)
    assert 0.4 < cells.mean() < 0.6
    blocks = silent_sources(random, 200, np.repeat(np.arange(6.0), 5))
    assert blocks[:, SPAN].any(axis=1).all(), "the instant itself is in the gap"
    by_source = blocks[:, SPAN].reshape(200, 6, 5)
    assert (by_source.all(axis=2) == by_source.any(axis=2)).all(), "all pairs of a source"
    length = blocks.any(axis=2).sum(axis=1)
    assert length.min() == 1
    assert 40 < length.max() <= SPAN


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


@settings(max_examples=20)
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


def star(pairs_of: int) -> np.ndarray:
    """(links, pairs) of hosts at one switch: an uplink and a downlink each."""
    ends = [(a, b) for a in range(pairs_of) for b in range(pairs_of) if a != b]
    rows = [[float(pair[way] == host) for pair in ends] for way in (0, 1) for host in range(12)]
    return np.array(rows)


def test_loads_of_links_tell_what_a_silent_host_sends(
    trained_vae: TelemetryVae, history: History
) -> None:
    truth, crossing = history.rates_bps[500], star(12)
    link_bps = crossing @ truth
    link_bps[2] = np.nan  # the uplink of the silent host
    seen, recent = silence(truth, 2), history.rates_bps[488:500]
    hidden = np.isnan(seen)
    without = trained_vae.impute(seen, recent)
    informed = trained_vae.impute(seen, recent, link_bps, crossing)
    np.testing.assert_array_equal(informed[~hidden], truth[~hidden])
    assert (informed >= 0).all()
    off, off_without = (np.abs(answer - truth)[hidden].sum() for answer in (informed, without))
    assert off < 0.5 * off_without


def test_the_record_is_estimated_with_and_without_the_future(
    trained_vae: TelemetryVae, history: History
) -> None:
    truth = history.rates_bps[400:480].copy()
    seen = truth.copy()
    seen[30:40, :11] = np.nan
    hidden = np.isnan(seen)
    live, back = (trained_vae.estimate(seen, future) for future in (False, True))
    assert (live.low_bps <= live.median_bps).all()
    assert (live.median_bps <= live.high_bps).all()
    inside = (live.low_bps <= truth) & (truth <= live.high_bps)
    assert inside[hidden].mean() > 0.5
    off = [np.abs(answer.median_bps - truth)[hidden].sum() for answer in (back, live)]
    assert off[0] < 1.1 * off[1]
    np.testing.assert_allclose(
        trained_vae.impute(seen[35], seen[:35]),
        np.where(hidden[35], live.median_bps[35], seen[35]),
        rtol=1e-4,
    )


def test_a_stuck_and_a_jumping_counter_are_suspected_and_a_surge_is_not(
    trained_vae: TelemetryVae, history: History
) -> None:
    truth, recent, crossing = history.rates_bps[500].copy(), history.rates_bps[480:500], star(12)
    stuck, jumping, surging = np.argsort(truth)[[-3, -2, -30]]
    truth[surging] *= 8
    told = truth.copy()
    told[stuck], told[jumping] = 0.0, 6 * truth[jumping]
    suspected = trained_vae.suspects(told, recent, crossing @ truth, crossing)
    assert suspected[[stuck, jumping]].all()
    assert not suspected[surging]
    assert suspected.sum() < 8

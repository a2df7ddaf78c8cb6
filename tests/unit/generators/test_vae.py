from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generators.estimate import Estimate
from generators.gaps import NEIGHBOURS, SPAN, around, random_cells, silent_sources
from generators.history import History
from generators.link_memory import LinkMemory
from generators.looking_back import filled_with_loads
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
    silent = by_source.any(axis=2).sum(axis=1)
    assert 0.5 < (silent == 1).mean() < 0.9
    assert silent.max() == 2, "a third of them"
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


@pytest.fixture(scope="module")
def saved(trained_vae: TelemetryVae, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "vae.pt"
    trained_vae.save(path)
    return path


def test_a_truncated_file_is_named(saved: Path, tmp_path: Path) -> None:
    whole, path = saved.read_bytes(), tmp_path / "vae.pt"
    for length in [*range(0, 200, 7), *np.linspace(200, len(whole) - 1, 40, dtype=int)]:
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match=r"vae\.pt: "):
            load_imputer(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_named_or_harmless(saved: Path, tmp_path: Path, data: st.DataObject) -> None:
    damaged, path = bytearray(saved.read_bytes()), tmp_path / "vae.pt"
    edge = st.one_of(st.integers(0, 2000), st.integers(len(damaged) - 6000, len(damaged) - 1))
    for at in data.draw(st.lists(edge, min_size=1, max_size=8)):
        damaged[at] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    with contextlib.suppress(ModelFileError):
        load_imputer(path)


@given(text=st.binary(max_size=300))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_foreign_file_is_named(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "vae.pt"
    path.write_bytes(text)
    with pytest.raises(ModelFileError, match=r"vae\.pt: "):
        load_imputer(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("hosts", "h1"),
        ("hosts", ["h1", "h2"]),
        ("hosts", [1] * 12),
        ("mean_bps", [1.0] * 132),
        ("mean_bps", torch.ones(12, 11)),
        ("mean_bps", torch.full((132,), np.nan)),
        ("mean_bps", -torch.ones(132)),
        ("network", []),
        ("network", {}),
        ("network", {"embedding": "none"}),
        ("network", None),
    ],
)
def test_fields_that_fit_nothing_are_named(
    saved: Path, tmp_path: Path, field: str, value: object
) -> None:
    path = tmp_path / "vae.pt"
    torch.save({**torch.load(saved, weights_only=True), field: value}, path)
    with pytest.raises(ModelFileError, match=r"vae\.pt: an incomplete model"):
        load_imputer(path)


def test_missing_fields_are_named(saved: Path, tmp_path: Path) -> None:
    content, path = torch.load(saved, weights_only=True), tmp_path / "vae.pt"
    for field in ("hosts", "mean_bps", "network"):
        torch.save({key: value for key, value in content.items() if key != field}, path)
        with pytest.raises(ModelFileError, match="an incomplete model"):
            load_imputer(path)


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


def test_loads_of_successive_steps_add_up(trained_vae: TelemetryVae, history: History) -> None:
    """Live by remembering, looking back by going over the record again."""
    random, crossing = np.random.default_rng(0), star(12)
    truth = history.rates_bps[400:460]
    link_bps = truth @ crossing.T
    link_bps *= 1 + 0.01 * random.standard_normal(link_bps.shape)
    seen = truth.copy()
    seen[20:, 22:33] = np.nan
    link_bps[20:, 2] = np.nan  # the uplink of the silent host
    hidden = np.isnan(seen)

    def off(answer: Estimate) -> float:
        return float(np.abs(answer.median_bps - truth)[hidden].sum())

    def live(*, forgetful: bool) -> Estimate:
        steps = []
        for step in range(1, len(seen)):
            if forgetful:
                trained_vae._memory = LinkMemory()
            steps.append(trained_vae.informed(seen[step], seen[:step], link_bps[step], crossing))
        return Estimate.stacked([trained_vae.estimate(seen[:1], future=False), *steps])

    back = filled_with_loads(trained_vae, seen, link_bps, crossing)
    remembered = live(forgetful=False)
    assert off(back) < off(remembered) < off(live(forgetful=True))
    for answer in (back, remembered):
        assert (answer.low_bps <= answer.median_bps).all()
        assert (answer.median_bps <= answer.high_bps).all()
        np.testing.assert_array_equal(answer.median_bps[1:][~hidden[1:]], seen[1:][~hidden[1:]])
        inside = (answer.low_bps <= truth) & (truth <= answer.high_bps)
        assert inside[hidden].mean() > 0.6


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


def test_a_counter_that_has_been_stuck_for_long_is_still_suspected(
    trained_vae: TelemetryVae, history: History
) -> None:
    truth, recent, crossing = history.rates_bps[500], history.rates_bps[480:500].copy(), star(12)
    stuck = int(np.argmax(truth))
    told = truth.copy()
    told[stuck] = recent[-15:, stuck] = 0.0
    assert trained_vae.suspects(told, recent, crossing @ truth, crossing)[stuck]


def test_a_counter_that_jumps_far_does_not_distract_from_a_stuck_one(
    trained_vae: TelemetryVae, history: History
) -> None:
    truth, recent, crossing = history.rates_bps[500], history.rates_bps[480:500], star(12)
    jumping, stuck = np.argsort(truth)[[-1, -4]]
    told = truth.copy()
    told[jumping], told[stuck] = 30 * truth[jumping], 0.0
    suspected = trained_vae.suspects(told, recent, crossing @ truth, crossing)
    assert suspected[[jumping, stuck]].all()
    assert suspected.sum() < 6

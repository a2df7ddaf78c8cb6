"""The benchmarks of the models without a model: gaps, fills, and targets."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from benchmarks import generators
from benchmarks.generators import mean_ranks, targets_of
from benchmarks.imputation_corruption import spoilt
from benchmarks.imputation_gaps import Gaps, cases, untold
from benchmarks.imputation_methods import CAUSAL, LOOKING_BACK, last_value, linear
from benchmarks.imputation_scores import Score, beside
from benchmarks.traffic_makers import block_bootstrap, copula_ar
from generators.builtin_history import builtin_history
from generators.gan_material import untrained_gan
from generators.schedule import FloatArray
from topologies.catalogue import load_topology
from twin.forecaster import PersistenceForecaster
from twin.indexing import Indexing

PAIRS, STEPS = 12, 60
RISING: FloatArray = np.outer(np.arange(1.0, STEPS + 1), np.ones(PAIRS))
HISTORY = np.outer(np.linspace(0.5, 1.0, 100), np.ones(PAIRS))


def test_gaps_hide_what_their_names_say() -> None:
    indexing = Indexing(load_topology("triangle"))
    rates_bps = np.ones((STEPS, len(indexing.pairs)))
    for gaps in cases(rates_bps, indexing, np.random.default_rng(1)):
        if gaps.block:
            length = int(gaps.name.split()[-2])
            by_switch = [gaps.hidden[:, pairs] for pairs in indexing.pairs_of_switch.values()]
            silent = np.array([hidden.all(axis=1) for hidden in by_switch])
            assert (silent == [hidden.any(axis=1) for hidden in by_switch]).all()
            assert silent.sum(axis=0).max() == 1
            assert silent.sum() % length == 0
            assert gaps.blind[:, : indexing.cores].sum() == 0, "far ends tell"
            assert (gaps.blind.sum(axis=1) == 2 * silent.any(axis=0)).all()
        else:
            share = float(gaps.name.split()[0].rstrip("%")) / 100
            assert gaps.hidden.mean() == pytest.approx(share, abs=0.1)


def test_who_tells_the_load_of_a_link() -> None:
    indexing = Indexing(load_topology("triangle"))
    switches = list(indexing.pairs_of_switch)
    ends = indexing.directions
    for silent in ([], switches[:1], switches[:2], switches):
        unknown = {ends[link] for link in np.flatnonzero(untold(indexing, silent))}
        hosts = indexing.topology.switch_of
        assert unknown == {
            link for link in ends if not {end for end in link if end not in hosts} - set(silent)
        }
    assert not untold(indexing, []).any()
    assert untold(indexing, switches).all()


def score(*, block: bool, loads: str, live: bool = False) -> Score:
    nothing = np.zeros((1, 1), dtype=bool)
    return Score(
        Gaps("silent 3 steps" if block else "10% of cells", nothing, nothing, block),
        live,
        loads,
        vae=8.0,
        coverage=90.0,
        plain={"last value": 12.0, "KNN": 10.0},
        linear=7.0,
        moved={"last value": 9.0, "KNN": 8.5} if loads else {},
    )


def test_targets_are_those_of_the_three_comparisons() -> None:
    def bounds(one: Score) -> dict[str, tuple[str, bool]]:
        return {t.name: (t.target, t.met) for t in one.targets() if t.name.startswith("NMAE")}

    assert bounds(score(block=True, loads="")) == {
        "NMAE, looking back, silent 3 steps, without loads": ("<= 7.5", False)
    }
    assert bounds(score(block=True, loads="loads")) == {
        "NMAE, looking back, silent 3 steps, with loads": ("<= 7.5", False),
        "NMAE, looking back, silent 3 steps, with loads, as plain methods": ("<= 8.5", True),
    }
    assert bounds(score(block=False, loads="loads", live=True))[
        "NMAE, live, 10% of cells, with loads"
    ] == ("<= 7", False)
    assert bounds(score(block=False, loads="", live=True)) == {
        "NMAE, live, 10% of cells, without loads": ("<= 10", True)
    }
    columns = beside([score(block=True, loads=""), score(block=True, loads="loads")])
    assert columns["KNN"] == {
        "NMAE, looking back, silent 3 steps, without loads": 10.0,
        "NMAE, looking back, silent 3 steps, with loads": 10.0,
        "NMAE, looking back, silent 3 steps, with loads, as plain methods": 8.5,
    }


def test_fills_know_what_they_may() -> None:
    seen = RISING[:10].copy()
    seen[4:7] = np.nan
    assert np.allclose(linear(HISTORY, seen), RISING[:10])
    assert np.allclose(last_value(HISTORY, seen)[4:7], RISING[3])


@pytest.mark.parametrize("name", LOOKING_BACK)
def test_plain_methods_keep_what_is_known_and_fill_the_rest(name: str) -> None:
    seen = np.where(np.random.default_rng(0).random(RISING.shape) < 0.3, np.nan, RISING)
    seen[-1] = RISING[-1]
    history = RISING + np.random.default_rng(1).random(RISING.shape)
    answer = LOOKING_BACK[name](history, seen)
    assert np.isfinite(answer).all()
    assert np.array_equal(answer[np.isfinite(seen)], seen[np.isfinite(seen)])
    assert np.abs(answer - RISING).max() < RISING.max()


def test_causal_methods_do_not_know_the_future() -> None:
    seen = np.where(np.random.default_rng(0).random(RISING.shape) < 0.3, np.nan, RISING)
    for fill in CAUSAL.values():
        early = fill(HISTORY, seen)[:30]
        assert np.array_equal(early, fill(HISTORY, seen[:30]))


def test_counters_are_spoilt_as_announced() -> None:
    truth = np.ones((400, 20))
    told, stuck, jumping = spoilt(truth, np.random.default_rng(2))
    assert (told[stuck] == 0).all()
    assert (told[jumping] > 2).all()
    assert np.array_equal(told[~stuck & ~jumping], truth[~stuck & ~jumping])
    assert 0.05 < stuck.mean() < 0.3
    assert 0.01 < jumping.mean() < 0.05


def test_the_gan_must_be_near_the_floor_and_ahead_of_all() -> None:
    floor = {"jsd": 0.1, "emd": 0.2, "acf_error": 0.15, "tstr_wape": 0.2, "memorisation": 0.08}
    close = {name: 1.05 * figure for name, figure in floor.items()}
    far = {name: 2 * figure for name, figure in floor.items()}
    ranks = mean_ranks({"GAN": close, "bootstrap": far})
    assert ranks == {"GAN": 1.0, "bootstrap": 2.0}
    assert all(target.met for target in targets_of(close, floor, ranks))
    assert not any(target.met for target in targets_of(far, floor, {"GAN": 2.0, "bootstrap": 2.0}))


@pytest.mark.parametrize("days", [4, 3.5])
def test_rivals_make_series_that_go_on_like_the_history(days: float) -> None:
    random = np.random.default_rng(0)
    steps = round(288 * days)
    day = 2 + np.sin(2 * np.pi * np.arange(steps + 288) / 288)
    known = 1e6 * np.stack([day[:steps] * random.lognormal(0, 0.1, steps) for _ in "abc"], axis=1)
    for maker in (block_bootstrap, copula_ar):
        made = maker(known, 500, 300.0, random)
        assert made.shape == (500, 3)
        assert made.min() >= known.min()
        assert made.max() <= known.max()
        assert np.corrcoef(made[:288, 0], day[steps:])[0, 1] > 0.8


@pytest.mark.parametrize("step_s", [300.0, 60.0])
def test_a_history_no_longer_than_a_block_is_repeated(step_s: float) -> None:
    known = RISING[:24]
    made = block_bootstrap(known, 40, step_s, np.random.default_rng(0))
    assert np.array_equal(made, np.vstack([known, known])[:40])


def test_an_epsilon_out_of_reach_costs_the_private_gan_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def out_of_reach(*_: object) -> None:
        raise ValueError("The privacy budget is too low.")  # in the words of opacus

    history = builtin_history(load_topology("triangle"), seed=1, days=2)
    monkeypatch.setattr(generators.traffic_history, "whole", lambda _: history)
    monkeypatch.setattr(generators, "train_gan", lambda known, seed, *_: untrained_gan(known, seed))
    monkeypatch.setattr(generators, "train_private_gan", out_of_reach)
    monkeypatch.setattr(generators, "train", lambda *_: PersistenceForecaster())
    parser = argparse.ArgumentParser()
    generators.add_arguments(parser)
    words = ["triangle", "--no-peers", "--dp-epsilon", "0.01"]
    report = generators.run(parser.parse_args(words), lambda *_: None)
    failed = {row["what"]: row["failed"] for row in report.rows if "failed" in row}
    assert failed.keys() == {"GAN, epsilon 0.01"}
    assert "budget is too low" in failed["GAN, epsilon 0.01"]
    assert {row["what"] for row in report.rows if "figures" in row} >= {"GAN", "copula + AR"}

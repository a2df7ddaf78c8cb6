"""What the GAN is worth: the conditions, the intervals, and the whole of it, hardly trained."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from benchmarks import benefit, benefit_costs, benefit_forecasters, traffic_history
from benchmarks.benefit_conditions import RARE, WARM_UP, episodes, host_away
from benchmarks.benefit_costs import TE_RATIO, WAPE, costs, trials
from benchmarks.benefit_forecasters import MORE, ONE_DAY, days
from benchmarks.benefit_on_packets import LOST, stage
from benchmarks.decider import Decider
from benchmarks.pigeonhole import gain_interval, gain_percent
from generators import gan_training
from generators.builtin_history import builtin_history
from generators.history import HistoryError
from topologies.catalogue import load_topology
from topologies.optimum import min_max_utilisation
from twin.forecaster import PersistenceForecaster

TRIANGLE = load_topology("triangle")
HISTORY = builtin_history(TRIANGLE, seed=3, days=4)


def test_peaks_are_the_busiest_and_incidents_change_what_is_judged() -> None:
    held_out = HISTORY.part(0, 300)
    found = episodes(held_out, seed=1)
    assert not any(one.judged[:WARM_UP].any() for each in found.values() for one in each)
    totals = {
        name: np.concatenate([one.rates_bps[one.judged.all(axis=1)].sum(axis=1) for one in each])
        for name, each in found.items()
    }
    assert totals["peaks"].min() >= totals["ordinary"].max()
    measured = {row.tobytes() for row in held_out.rates_bps}
    for name in ("surges", "failures"):
        for one in found[name]:
            for rates, judged in zip(one.rates_bps, one.judged, strict=True):
                assert not judged.any() or rates.tobytes() not in measured


def test_a_host_that_was_away_makes_up_for_part_of_it() -> None:
    matrices = np.ones((40, 3, 3)) - np.eye(3)
    host_away(matrices, 10, np.random.default_rng(4))
    totals = matrices.sum(axis=(1, 2))
    assert (totals[:10] == 6).all()
    assert totals[10] == 2, "the other two go on"
    back = 10 + int(np.argmax(totals[10:] > 2))
    lost = 4 * (back - 10)
    gained = (totals[back:] - 6).sum()
    assert 0.2 * lost <= gained <= 0.8 * lost + 1e-9
    assert totals[-1] == 6


def test_every_day_begins_at_midnight() -> None:
    late = HISTORY.part(30, HISTORY.steps)
    found = days(late)
    assert [day.start_s / 86_400 for day in found] == [1, 2, 3]
    assert {day.steps for day in found} == {288}
    with pytest.raises(HistoryError, match="whole day"):
        days(HISTORY.part(1, 300))


def test_an_interval_holds_the_gain_and_shrinks_with_what_was_measured() -> None:
    random = np.random.default_rng(0)
    widths = []
    for seeds, count in ((3, 5), (30, 50)):
        against = random.uniform(1, 3, (seeds, count))
        less = against * random.normal(0.9, 0.1, against.shape)
        interval = gain_interval(less, against)
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low < gain_percent(less, against) < interval.high
        assert interval.low < 10 < interval.high
        widths.append(interval.high - interval.low)
    assert widths[1] < widths[0] / 3
    assert gain_percent(np.full((2, 2), 3.0), np.full((2, 2), 2.0)) == pytest.approx(-50)


def test_persistence_costs_what_it_is_off() -> None:
    (ordinary, *_), (peak, *_) = (episodes(HISTORY, 0)[name] for name in ("ordinary", "peaks"))
    decider = Decider(TRIANGLE)
    chosen = trials(decider, [ordinary, peak], seed=0)
    found = costs(decider, PersistenceForecaster(), chosen)
    assert found[WAPE].shape == found[TE_RATIO].shape == (2,)
    off = sum(
        np.abs(np.diff(one.rates_bps, axis=0)).sum(where=one.judged[1:]) for one in (ordinary, peak)
    )
    carried = sum(one.rates_bps.sum(where=one.judged) for one in (ordinary, peak))
    assert 0.5 * off / carried < found[f"{WAPE} +1"].mean() < 1.5 * off / carried
    assert found[f"{WAPE} +1"].mean() < found[f"{WAPE} +3"].mean()
    assert (found[TE_RATIO] >= 1 - 1e-6).all()


def test_the_whole_benchmark_says_how_sure_every_gain_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benefit, "_BUDGET_S", 0.0)
    quick = {**gan_training.HYPER_PARAMETERS, "steps": 2, "checks": 1, "incident_steps": 5}
    monkeypatch.setattr(gan_training, "HYPER_PARAMETERS", quick)
    monkeypatch.setattr(benefit_forecasters, "_WINDOWS", 30)
    monkeypatch.setattr(benefit_forecasters, "_OF_EACH", 5)
    monkeypatch.setattr(benefit_costs, "_MATRICES", 1)
    monkeypatch.setattr(traffic_history, "whole", lambda _: HISTORY.part(0, 420))
    parser = argparse.ArgumentParser()
    benefit.add_arguments(parser)
    report = benefit.run(parser.parse_args(["triangle", "--seeds", "2"]), lambda *_: None)
    assert len(report.targets) == len(report.intervals) == 2 * len(RARE) * len(MORE)
    for target in report.targets:
        interval = report.intervals[target.name]
        assert interval.low is not None
        assert target.met == (interval.low > 0)
    rows = {row["what"]: row["figures"] for row in report.rows}
    less, more = rows[f"peaks, {ONE_DAY}"], rows["peaks, all days"]
    assert more["gain in WAPE, %"] == pytest.approx(100 * (1 - more[WAPE] / less[WAPE]))
    assert rows["peaks, no error"][TE_RATIO] <= less[TE_RATIO] + 0.01


@pytest.mark.parametrize("condition", RARE)
def test_a_stage_is_what_is_judged_and_what_a_forecaster_looks_back_on(condition: str) -> None:
    episode = episodes(HISTORY, seed=1)[condition][0]
    ready = stage(TRIANGLE, episode)
    lead = round(ready.measure_from_s / ready.schedule.interval_s)
    first = int(np.flatnonzero(episode.judged.any(axis=1))[0])
    assert lead == min(first, 8)
    loads = [min_max_utilisation(ready.topology, one) for one in ready.schedule.matrices_bps[lead:]]
    assert max(loads) == pytest.approx(0.85)
    scale = ready.schedule.matrices_bps[lead].sum() / episode.rates_bps[first].sum()
    assert ready.schedule.matrices_bps[0].sum() / scale == pytest.approx(
        episode.rates_bps[first - lead].sum()
    )


def test_gains_on_packets_are_told_by_condition_and_of_all() -> None:
    def outcome(cost: float) -> dict[str, float]:
        return {WAPE: cost, TE_RATIO: 1 + cost, LOST: 0.0}

    def episode(less: float) -> dict[str, dict[str, float]]:
        return {ONE_DAY: outcome(0.2), **dict.fromkeys(MORE, outcome(less))}

    found = {"peaks": [episode(0.1), episode(0.15)], "surges": [episode(0.2)], "failures": []}
    rows = {row["what"]: row for row in benefit.packet_rows(found)}
    assert rows["on packets, failures"]["failed"]
    peaks = rows["on packets, peaks, all days"]["figures"]
    assert peaks["gain in WAPE, %"] == pytest.approx(37.5)
    low, high = peaks["gain in WAPE, 95 %"]
    assert low == pytest.approx(25)
    assert high == pytest.approx(50)
    everywhere = rows["on packets, all rare conditions, all days"]["figures"]
    assert everywhere["episodes"] == 3
    assert everywhere["gain in WAPE, %"] == pytest.approx(25)

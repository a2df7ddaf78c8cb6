"""How well rates are forecast: per OD pair and per link, minutes and hours ahead.

Trains on the first days of a history (--train-days; default: the first three quarters) and
forecasts the rest of it, step by step, from what was known at each. Figures are WAPE: the sum of
absolute errors over the sum of the actual rates; skill is 1 - WAPE / that of the best of
persistence, day-naive and week-naive. Links carry what shortest paths put on them. "learnt" is the
network as trained, "adapted" the same with what it learns on the way, from a day before the first
forecast that counts; coverage is the share of actual rates inside the 90 % band. Beside it stand
statsforecast and neuralforecast, in an environment of their own, at as few steps as their names
tell: their rows have ours at the same steps. Rows also tell how the forecaster of runs, which knows
no time of day, does with and without the GAN's windows among what it learns from.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks import traffic_history
from benchmarks.forecast_live import live_figures
from benchmarks.forecast_peers import PeerForecast, peer_forecasts
from benchmarks.report import Report, Step, this_machine
from cli.arguments import read_positive
from generators.history import HistoryError
from testbed.reference.targets import Target, at_most, between
from topologies.model import Topology
from topologies.paths import path_directions, shortest_paths
from twin.adaptation import Adaptation, Adapted
from twin.band import Band
from twin.day_features import DAY_S
from twin.day_forecast import HistoryTooShortError, train_for_days
from twin.indexing import FloatArray, IntArray
from twin.training import wape

HORIZONS_S: Mapping[str, float] = {"+5 min": 300.0, "+1 h": 3600.0, "+6 h": 21_600.0}
_GOALS = {"+5 min": 0.909, "+1 h": 0.8825, "+6 h": 0.872}
"""Of persistence's WAPE: 0.105, 0.18 and 0.30 on the last 3 of 14 days of Abilene, March 2004."""
_COVERAGE = (87.0, 93.0)  # percent, of a band of 90


@dataclass(frozen=True)
class Trial:
    """What is to be forecast: the rates `ahead` steps after every step of `now`."""

    rates_bps: FloatArray
    """(steps, series): the whole history."""
    step_s: float
    ahead: int
    now: IntArray
    """(forecasts,) steps."""

    @property
    def actual_bps(self) -> FloatArray:
        """(forecasts, series)"""
        return np.asarray(self.rates_bps[self.now + self.ahead])

    def naive(self) -> dict[str, FloatArray]:
        """What knows no model; an earlier day or week only where the history has it."""
        found = {"persistence": self.rates_bps[self.now]}
        for name, days in (("day-naive", 1), ("week-naive", 7)):
            then = self.now + self.ahead - round(days * DAY_S / self.step_s)
            if then.min() >= 0 and (then <= self.now).all():
                found[name] = self.rates_bps[then]
        return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    traffic_history.add_arguments(parser)
    parser.add_argument(
        "--train-days",
        type=read_positive,
        metavar="DAYS",
        help="of the history; the rest is forecast; default: three quarters of it",
    )
    parser.add_argument(
        "--no-peers", action="store_true", help="leave out statsforecast and neuralforecast"
    )


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Train, forecast, and compare.

    Raises:
        DocumentError, HistoryError: there is no such network or history, or it is too short.
    """
    topology = traffic_history.network(arguments)
    history = traffic_history.whole(arguments)
    machine = this_machine()
    cut = _cut(arguments.train_days, history.steps, history.step_s)
    day = round(DAY_S / history.step_s)
    links = routing_matrix(topology)
    rows: list[dict[str, Any]] = []
    targets: list[Target] = []
    beside: dict[str, dict[str, float | None]] = {}
    ours: dict[str, tuple[Trial, Band]] = {}
    for number, (name, ahead_s) in enumerate(HORIZONS_S.items()):
        ahead = max(1, round(ahead_s / history.step_s))
        now = np.arange(cut - ahead - day, history.steps - ahead)
        trial = Trial(history.rates_bps, history.step_s, ahead, now)

        def progress(share: float, name: str = name, number: int = number) -> None:
            step(f"learning {name}", (number + share) / len(HORIZONS_S))

        learnt, trained_s = _learnt(topology, trial, cut, arguments.seed, progress)
        on_links = Trial(trial.rates_bps @ links, trial.step_s, ahead, now)
        learnt_sums = carried(learnt, links)
        adapted = adapted_as_if_live(trial, learnt)
        pairs = judged(trial, learnt, adapted, day)
        sums = judged(on_links, learnt_sums, adapted_as_if_live(on_links, learnt_sums), day)
        ours[name] = trial, adapted
        rows.append({"what": f"OD pairs, {name}", "figures": {**pairs, "training s": trained_s}})
        rows.append({"what": f"links, {name}", "figures": sums})
        for kind, figures in (("OD", pairs), ("link", sums)):
            targets += _targets(kind, name, figures)
            _put_beside(beside, kind, name, figures)
    if not arguments.no_peers:
        step("statsforecast and neuralforecast", None)
        _add_peers(ours, cut, arguments.seed, rows, beside)
    step("the forecaster of runs", None)
    live = live_figures(topology, *history.split(cut / history.steps), arguments.seed)
    rows += [
        {"what": f"in runs, {what}, {name}", "figures": figures}
        for what, by_name in live.items()
        for name, figures in by_name.items()
    ]
    return Report("forecast", machine, rows, targets, beside)


def _learnt(
    topology: Topology, trial: Trial, cut: int, seed: int, progress: Callable[[float], None]
) -> tuple[Band, float]:
    """What a forecaster trained on the steps before `cut` says; the seconds of its training."""
    begun_s = time.monotonic()
    progress(0.0)
    try:
        forecaster = train_for_days(
            topology, trial.rates_bps[:cut], trial.step_s, trial.ahead, seed, progress
        )
    except HistoryTooShortError as error:
        raise HistoryError(f"--train-days, --history: {error}") from error
    trained_s = time.monotonic() - begun_s
    made = forecaster.forecasts(topology, trial.rates_bps, trial.step_s, trial.now)
    return Band(*made), trained_s


def _cut(train_days: float | None, steps: int, step_s: float) -> int:
    if train_days is None:
        return round(steps * traffic_history.TRAINING_SHARE)
    cut = round(train_days * DAY_S / step_s)
    if not 0 < cut < steps:
        days = steps * step_s / DAY_S
        raise HistoryError(f"--train-days: give more than 0 and less than {days:g}")
    return cut


def judged(trial: Trial, learnt: Band, adapted: Band, first: int = 0) -> dict[str, float]:
    """WAPE of all that forecast, coverage in percent, skill; from the forecast `first` on."""
    trial = Trial(trial.rates_bps, trial.step_s, trial.ahead, trial.now[first:])
    learnt, adapted = learnt.at(slice(first, None)), adapted.at(slice(first, None))
    actual, naive = trial.actual_bps, trial.naive()
    figures = {name: wape(forecast, actual) for name, forecast in naive.items()}
    best = min(figures.values())
    figures |= {
        "learnt": wape(learnt.point_bps, actual),
        "adapted": wape(adapted.point_bps, actual),
        "learnt coverage %": 100 * float(learnt.covers(actual).mean()),
        "coverage %": 100 * float(adapted.covers(actual).mean()),
        "width / rate": float((adapted.upper_bps - adapted.lower_bps).sum() / actual.sum()),
    }
    figures["skill"] = 1 - figures["adapted"] / best
    figures["accuracy %"] = 100 * (1 - figures["adapted"])
    return figures


def adapted_as_if_live(trial: Trial, learnt: Band) -> Band:
    """(forecasts, series): every forecast rests on rates that had come in by then."""
    naive = trial.naive()
    rivals = [naive[name] for name in ("day-naive", "persistence") if name in naive]
    adaptation = Adaptation(len(rivals), trial.rates_bps.shape[1], trial.ahead)
    made: list[Adapted] = []
    for index in range(len(trial.now)):
        if index >= trial.ahead:
            due = index - trial.ahead
            adaptation.learn(made[due], trial.actual_bps[due])
        made.append(adaptation.adapt(learnt.at(index), np.stack([r[index] for r in rivals])))
    return Band.stacked([one.band for one in made])


def routing_matrix(topology: Topology) -> FloatArray:
    """(pairs, links): 1 where the shortest path of a pair crosses a core direction."""
    routing = shortest_paths(topology)
    link = {direction: index for index, direction in enumerate(topology.core_directions)}
    crossed = np.zeros((len(topology.od_pairs), len(link)))
    for row, pair in enumerate(topology.od_pairs):
        for direction in path_directions(routing[pair]) if pair in routing else ():
            crossed[row, link[direction]] = 1.0
    return crossed


def carried(pairs: Band, links: FloatArray) -> Band:
    """The band of the links' loads, if what the pairs do beyond their forecasts is independent."""
    point = pairs.point_bps @ links
    below = np.sqrt((pairs.point_bps - pairs.lower_bps) ** 2 @ links)
    above = np.sqrt((pairs.upper_bps - pairs.point_bps) ** 2 @ links)
    return Band(np.maximum(point - below, 0.0), point, point + above)


def _add_peers(
    ours: Mapping[str, tuple[Trial, Band]],
    cut: int,
    seed: int,
    rows: list[dict[str, Any]],
    beside: dict[str, dict[str, float | None]],
) -> None:
    """The figures of each method of each peer; one that cannot be had is a row that says why."""
    trials = [trial for trial, _ in ours.values()]
    aheads = [trial.ahead for trial in trials]
    day = round(DAY_S / trials[0].step_s)
    for peer in peer_forecasts(trials[0].rates_bps, cut, aheads, day, seed):
        if not isinstance(peer, PeerForecast):
            script, error = peer
            rows.append({"what": script, "failed": str(error)})
            continue
        column = f"{peer.name}, {len(peer.now)} steps"
        for row, (name, (trial, adapted)) in enumerate(ours.items()):
            figures = at_the_same_steps(trial, adapted, peer, row)
            rows.append({"what": f"{column}, OD pairs, {name}", "figures": figures})
            beside.setdefault(column, {})[f"WAPE OD {name}"] = figures[peer.name]


def at_the_same_steps(
    trial: Trial, adapted: Band, peer: PeerForecast, row: int
) -> dict[str, float]:
    """WAPE of a peer, of ours, and of what is naive, at the steps that the peer forecast."""
    kept = np.searchsorted(trial.now, peer.now)
    actual = trial.actual_bps[kept]
    forecasts = {peer.name: peer.rates_bps[:, row], "adapted": adapted.point_bps[kept]} | {
        name: forecast[kept] for name, forecast in trial.naive().items()
    }
    return {name: wape(forecast, actual) for name, forecast in forecasts.items()}


def _targets(kind: str, name: str, figures: Mapping[str, float]) -> Iterator[Target]:
    """Pairs have goals; links must only be no worse than persistence."""
    share = _GOALS[name] if kind == "OD" else 1.0
    yield at_most(
        f"WAPE {kind} {name}", round(share * figures["persistence"], 3), figures["adapted"]
    )
    yield between(f"coverage {kind} {name}", *_COVERAGE, figures["coverage %"], "%")


def _put_beside(
    beside: dict[str, dict[str, float | None]], kind: str, name: str, figures: Mapping[str, float]
) -> None:
    own = {"adapted", "coverage %", "skill", "width / rate", "accuracy %", "learnt coverage %"}
    for rival, figure in figures.items():
        if rival not in own:
            beside.setdefault(rival, {})[f"WAPE {kind} {name}"] = figure
    beside.setdefault("learnt", {})[f"coverage {kind} {name}"] = figures["learnt coverage %"]

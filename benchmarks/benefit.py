"""Whether the GAN helps: what its samples add to one day of history, in rare conditions.

The forecaster of runs learns from (a) one day of history, (b) that day and samples of a GAN that
learnt from the same day, (c) all days but the last quarter of the history. On that quarter it is
judged, at work as in a run, where traffic is rare: in peaks, in surges towards one host, and while
a host is away and catches up. (b) comes twice: with the ordinary samples that runs use, and with
the GAN's flash crowds and failures among them. Gains are against (a), in percent of its WAPE over
the next three intervals, and of the TE ratio (busiest link over the linear program's, as in
`bench te`) of routes by the forecast of the next one. Every seed has a day, a GAN, and networks of
its own; a gain counts as shown if its 95 % interval over seeds and episodes is above zero.

`--on-packets N` replays N episodes of each condition besides, in labs, under the twin policy with
the forecasters of the first seed (benchmarks/benefit_on_packets.py).
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks import traffic_history
from benchmarks.benefit_conditions import RARE, episodes
from benchmarks.benefit_costs import (
    TE_RATIO,
    WAPE,
    WAPE_ALONE,
    Costs,
    Trial,
    costs,
    te_ratio,
    trials,
)
from benchmarks.benefit_forecasters import MORE, NAIVE, ONE_DAY, days, trained
from benchmarks.benefit_on_packets import FIGURES, IN_LABS, Outcomes, outcomes
from benchmarks.decider import Decider
from benchmarks.pigeonhole import gain_interval, gain_percent
from benchmarks.report import Interval, Report, Step, this_machine
from cli.arguments import read_whole
from generators.history import History
from testbed.reference.targets import Target
from twin.forecaster import Forecaster

_BUDGET_S = 600.0  # of a training: a machine that spends it is far too slow
_PROMISED = (WAPE, TE_RATIO)

Found = Mapping[str, Costs]
"""By forecaster."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    traffic_history.add_arguments(parser)
    parser.add_argument("--seeds", type=read_whole(2), default=5, metavar="N", help="default: 5")
    parser.add_argument(
        "--on-packets",
        type=read_whole(0),
        default=0,
        metavar="N",
        help="episodes of each condition in labs, too, 3 minutes each; default: none",
    )


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Train, forecast, route, and compare.

    Raises:
        DocumentError, HistoryError: there is no such network or history, or it is too short.
    """
    machine = this_machine()
    decider = Decider(traffic_history.network(arguments))
    history = traffic_history.whole(arguments).filled()
    training, held_out = history.split(traffic_history.TRAINING_SHARE)
    judged_by = episodes(held_out, arguments.seed)
    conditions = {name: trials(decider, found, arguments.seed) for name, found in judged_by.items()}
    found, forecasters = _measured(decider, training, conditions, arguments, step)
    rows: list[dict[str, Any]] = []
    for condition, on in conditions.items():
        right = np.mean([te_ratio(decider, trial, trial.episode.rates_bps) for trial in on])
        rows.append({"what": f"{condition}, no error", "figures": {TE_RATIO: float(right)}})
        rows += rows_of(condition, found[condition])
    if count := arguments.on_packets:
        learnt = {name: forecasters[name] for name in IN_LABS}
        seed, topology = arguments.seed, decider.topology
        rows += packet_rows(outcomes(topology, judged_by, learnt, count, seed, step))
    return Report("benefit", machine, rows, *judged({name: found[name] for name in RARE}))


def _measured(
    decider: Decider,
    training: History,
    conditions: Mapping[str, Sequence[Trial]],
    arguments: argparse.Namespace,
    step: Step,
) -> tuple[dict[str, Found], Mapping[str, Forecaster]]:
    """The costs of all seeds, by condition; and the forecasters of the first."""
    learnt_from = days(training)
    np.random.default_rng(arguments.seed).shuffle(learnt_from)
    of_seeds: dict[str, dict[str, list[Costs]]] = defaultdict(lambda: defaultdict(list))
    first: Mapping[str, Forecaster] = {}
    for number in range(arguments.seeds):
        step(f"training, seed {number + 1} of {arguments.seeds}", number / arguments.seeds)
        day, seed = learnt_from[number % len(learnt_from)], arguments.seed + number
        forecasters = trained(decider.topology, day, training, seed, _BUDGET_S)
        first = first or forecasters
        step("forecasting, and routing", (number + 0.5) / arguments.seeds)
        for condition, on in conditions.items():
            for name, forecaster in forecasters.items():
                of_seeds[condition][name].append(costs(decider, forecaster, on))
    found: dict[str, Found] = {
        condition: {
            name: {what: np.stack([one[what] for one in each]) for what in each[0]}
            for name, each in by_name.items()
        }
        for condition, by_name in of_seeds.items()
    }
    return found, first


def rows_of(condition: str, found: Found) -> Iterator[dict[str, Any]]:
    """All figures of a condition; gains are against one day, in percent."""
    for name, of in found.items():
        figures: dict[str, Any] = {what: float(cells.mean()) for what, cells in of.items()}
        for what in (*_PROMISED, WAPE_ALONE) if name in MORE else ():
            against = found[ONE_DAY][what]
            interval = gain_interval(of[what], against)
            figures[f"gain in {what}, %"] = gain_percent(of[what], against)
            figures[f"gain in {what}, 95 %"] = [interval.low, interval.high]
        episodes = of[WAPE].shape[1]
        yield {"what": f"{condition}, {name}", "figures": {**figures, "episodes": episodes}}


def packet_rows(found: Mapping[str, Sequence[Outcomes]]) -> Iterator[dict[str, Any]]:
    """Figures of the runs in labs, by condition and of all; gains are against one day."""
    everything = [outcome for each in found.values() for outcome in each]
    for condition, each in {**found, "all rare conditions": everything}.items():
        if not each:
            yield {"what": f"on packets, {condition}", "failed": "no run was valid"}
            continue
        cells = {
            name: {what: np.array([[one[name][what] for one in each]]) for what in FIGURES}
            for name in each[0]
        }
        for name, of in cells.items():
            figures: dict[str, Any] = {what: float(values.mean()) for what, values in of.items()}
            for what in _PROMISED if name in MORE else ():
                against = cells[ONE_DAY][what]
                figures[f"gain in {what}, %"] = gain_percent(of[what], against)
                if len(each) > 1:
                    interval = gain_interval(of[what], against)
                    figures[f"gain in {what}, 95 %"] = [interval.low, interval.high]
            yield {
                "what": f"on packets, {condition}, {name}",
                "figures": {**figures, "episodes": len(each)},
            }


def judged(
    by_condition: Mapping[str, Found],
) -> tuple[list[Target], dict[str, dict[str, float | None]], dict[str, Interval]]:
    """Gains, what they are between, and how sure they are: all of the interval must be above 0."""
    targets: list[Target] = []
    beside: dict[str, dict[str, float | None]] = {ONE_DAY: {}, "more": {}, NAIVE: {}}
    intervals: dict[str, Interval] = {}
    for what in _PROMISED:
        for condition, found in by_condition.items():
            for name, added in MORE.items():
                more, less = found[name][what], found[ONE_DAY][what]
                title = f"{what} in {condition}, gain by {added}"
                interval = intervals[title] = gain_interval(more, less)
                shown = interval.low is not None and interval.low > 0
                targets.append(Target(title, "> 0", gain_percent(more, less), "%", shown))
                columns = zip(beside.values(), (less, more, found[NAIVE][what]), strict=True)
                for column, cells in columns:
                    column[title] = float(cells.mean())
    return targets, beside, intervals

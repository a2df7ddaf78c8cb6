"""How near the twin's routes come to the best that any routing could do.

The TE ratio is the utilisation of the busiest link over the least that any routing could reach for
the same matrix, splitting flows at will (a linear program). Held-out matrices of the history, each
scaled until that least is 90 %, are routed by the twin policy, starting from shortest paths: once
for the matrix itself, once for what the forecaster, trained on the first three quarters, forecast
of it; and once more after a core link has failed under the routes found. Beside them stand the
shortest paths themselves, and hop-count ECMP. First in the model; then some of them on packets, in
a lab of their own, measured at the ports. Whole decisions are timed (`TwinPolicy.decide`: model,
candidates, search, judgement), on this network and on one of 75 switches, for a link that runs hot
and for a link that fails.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks import traffic_history
from benchmarks.decider import Decider
from benchmarks.measured_run import measured_run
from benchmarks.report import Report, Step, this_machine
from cli.arguments import read_whole
from playbooks.shadow import prepare_shadow
from results.analysis import analyse
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import Target, at_most
from topologies.model import Topology, Ways
from topologies.random_networks import random_network
from topologies.splits import equal_cost_ways
from twin.forecaster import LOOKBACK
from twin.indexing import FloatArray, Indexing
from twin.situation import Situation
from twin.training import train

_GOAL_TRUE, _GOAL_FORECAST = 1.05, 1.10
_GOAL_MS, _GOAL_LARGE_MS = 50.0, 500.0
_TRAINING_S = 30.0
_SPLITS = 4
_LARGE_SWITCHES, _LARGE_LINKS, _LARGE_DECISIONS = 75, 110, 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    traffic_history.add_arguments(parser)
    parser.add_argument("--matrices", type=int, default=100, metavar="N", help="default: 100")
    parser.add_argument(
        "--on-packets",
        type=read_whole(0),
        default=5,
        metavar="N",
        help="how many of them in labs, too, 80 s each; default: 5; 0: none",
    )


@dataclass(frozen=True)
class Case:
    """One matrix and what was made of it. Ratios are over the linear program's minimum."""

    matrix_bps: FloatArray
    """(hosts, hosts)"""
    routing: Ways
    """For the matrix itself."""
    forecast_routing: Ways
    shortest: float
    ecmp: float
    true: float
    forecast: float
    split: float
    """For the matrix itself, where some pairs may be split, as those of many flows could be."""
    failure: float
    """After a failure, over the minimum that is left then."""
    decided_ms: float
    failure_decided_ms: float


@dataclass(frozen=True)
class Measured:
    """TE ratios at the ports of labs; None: the run was not valid."""

    true: list[float | None]
    forecast: list[float | None]


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Train, decide, and measure.

    Raises:
        DocumentError, HistoryError: there is no such network, or no such history.
        MeasurementError: the history has not so many matrices.
        SandboxUnavailableError, LinkError: this machine cannot carry a lab.
    """
    training, held_out = traffic_history.chosen(arguments)
    topology = traffic_history.network(arguments)
    machine = this_machine()
    possible = np.arange(LOOKBACK, len(held_out.rates_bps))
    if not 1 <= arguments.matrices <= len(possible):
        raise MeasurementError(f"--matrices: give 1 to {len(possible)}, of this history")
    step("training the forecaster", None)
    forecaster = train(topology, training.rates_bps, arguments.seed, _TRAINING_S)
    step("deciding", None)
    random = np.random.default_rng(arguments.seed)
    chosen = random.choice(possible, arguments.matrices, replace=False)
    rates = held_out.rates_bps
    decider = Decider(topology)
    cases = [
        decided(decider, rates[at], forecaster.forecast(rates[at - LOOKBACK : at])[0], random)
        for at in map(int, chosen)
    ]
    measured = _on_packets(topology, cases[: arguments.on_packets], step)
    step(f"deciding for {_LARGE_SWITCHES} switches", None)
    large = _large_decisions(arguments.seed)
    rows: list[dict[str, Any]] = [
        {"what": "in the model", "figures": _shown(cases)},
        {"what": "on packets", "figures": dataclasses.asdict(measured)},
        {"what": f"{_LARGE_SWITCHES} switches", "figures": dataclasses.asdict(large)},
    ]
    targets, beside = _judged(cases, measured, large)
    return Report("te", machine, rows, targets, beside)


def decided(
    decider: Decider, od_bps: FloatArray, forecast_bps: FloatArray, random: np.random.Generator
) -> Case:
    """Scale a matrix (pairs,) and its forecast alike, route both, and let a link fail."""
    scale = decider.scale(od_bps)
    od_bps = od_bps * scale
    routing, decided_ms = decider.decide(decider.shortest, od_bps)
    by_forecast, _ = decider.decide(decider.shortest, forecast_bps * scale)
    down = decider.failure(random)
    restored, failure_decided_ms = decider.decide(routing, od_bps, down)
    return Case(
        matrix_bps=decider.indexing.matrix(od_bps),
        routing=routing,
        forecast_routing=by_forecast,
        shortest=decider.ratio(decider.shortest, od_bps),
        ecmp=decider.ratio(equal_cost_ways(decider.topology), od_bps),
        true=decider.ratio(routing, od_bps),
        forecast=decider.ratio(by_forecast, od_bps),
        split=decider.ratio(decider.route(od_bps, _SPLITS), od_bps),
        failure=decider.ratio(restored, od_bps, down),
        decided_ms=decided_ms,
        failure_decided_ms=failure_decided_ms,
    )


def _on_packets(topology: Topology, cases: Sequence[Case], step: Step) -> Measured:
    """The mean TE ratios at the ports of labs with each case's routes."""
    measured = Measured([], [])
    for number, case in enumerate(cases):
        step("on packets", number / len(cases))
        measured.true.append(_ratio_of_lab(topology, case.matrix_bps, case.routing))
        measured.forecast.append(_ratio_of_lab(topology, case.matrix_bps, case.forecast_routing))
    return measured


def _ratio_of_lab(topology: Topology, matrix_bps: FloatArray, routing: Ways) -> float | None:
    indexing = Indexing(topology)
    od_bps = matrix_bps[indexing.source, indexing.target]
    situation = Situation(topology, "delay", routing, od_bps)
    summary = measured_run(partial(prepare_shadow, situation, "te"), analyse)
    return summary.metrics.get("te_ratio", {}).get("mean") if summary.valid else None


@dataclass(frozen=True)
class Large:
    """How long decisions take on a large network, from hot shortest paths."""

    decided_ms: list[float]
    failure_decided_ms: list[float]


def _large_decisions(seed: int) -> Large:
    decider = Decider(random_network(_LARGE_SWITCHES, _LARGE_LINKS, seed))
    random = np.random.default_rng(seed)
    large = Large([], [])
    for _ in range(_LARGE_DECISIONS):
        od_bps = decider.overloading(random.exponential(1.0, len(decider.topology.od_pairs)))
        large.decided_ms.append(decider.decide(decider.shortest, od_bps)[1])
        down = decider.failure(random)
        large.failure_decided_ms.append(decider.decide(decider.shortest, od_bps, down)[1])
    return large


def _judged(
    cases: Sequence[Case], measured: Measured, large: Large
) -> tuple[list[Target], Mapping[str, Mapping[str, float | None]]]:
    def mean(name: str) -> float:
        return float(np.mean([getattr(case, name) for case in cases]))

    def p95(times_ms: Sequence[float]) -> float:
        return float(np.percentile(times_ms, 95, method="higher"))

    true, forecast = "TE ratio, true matrix, mean", "TE ratio, forecast matrix, mean"
    decided_ms = [case.decided_ms for case in cases]
    failure_decided_ms = [case.failure_decided_ms for case in cases]
    after_it, on = "decision after a failure", f", {_LARGE_SWITCHES} switches, p95"
    targets = [
        at_most(true, _GOAL_TRUE, mean("true")),
        at_most(forecast, _GOAL_FORECAST, mean("forecast")),
        at_most("TE ratio after a failure, mean", _GOAL_TRUE, mean("failure")),
        *_packet_targets(measured),
        at_most("decision, p95", _GOAL_MS, p95(decided_ms), "ms"),
        at_most(f"{after_it}, p95", _GOAL_MS, p95(failure_decided_ms), "ms"),
        at_most(f"decision{on}", _GOAL_LARGE_MS, p95(large.decided_ms), "ms"),
        at_most(f"{after_it}{on}", _GOAL_LARGE_MS, p95(large.failure_decided_ms), "ms"),
    ]
    beside: dict[str, Mapping[str, float | None]] = {
        name: {true: mean(field), forecast: mean(field)}
        for name, field in (("shortest paths", "shortest"), ("hop-count ECMP", "ecmp"))
    }
    beside[f"{_SPLITS} pairs split"] = {true: mean("split")}
    return targets, beside


def _packet_targets(measured: Measured) -> Iterator[Target]:
    """None where no lab was asked for."""
    if measured.true:
        name = "TE ratio on packets, {} matrix, mean"
        yield at_most(name.format("true"), _GOAL_TRUE, _mean_of_all(measured.true))
        yield at_most(name.format("forecast"), _GOAL_FORECAST, _mean_of_all(measured.forecast))


def _mean_of_all(ratios: Sequence[float | None]) -> float | None:
    """None if one of them is not known, or there is none."""
    known = [ratio for ratio in ratios if ratio is not None]
    return float(np.mean(known)) if len(known) == len(ratios) > 0 else None


def _shown(cases: Sequence[Case]) -> dict[str, list[float]]:
    hidden = "matrix_bps", "routing", "forecast_routing"
    names = [one.name for one in dataclasses.fields(Case) if one.name not in hidden]
    return {name: [getattr(case, name) for case in cases] for name in names}

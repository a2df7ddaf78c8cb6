"""How near the twin's routes come to the best that any routing could do.

The TE ratio is the utilisation of the busiest link over the least that any routing could reach for
the same matrix, splitting flows at will (a linear program). Held-out matrices of the history, each
scaled until that least is 90 %, are routed by the optimiser of the twin policy, starting from
shortest paths: once for the matrix itself, once for what the forecaster, trained on the first three
quarters, forecast of it. First in the model; then some of them on packets, in a lab of their own,
measured at the ports. Decisions are timed, on this network and on one of 75 switches.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import traffic_history
from benchmarks.report import Report, Step, this_machine
from playbooks.runner import run_lab
from playbooks.shadow import prepare_shadow
from results.analysis import analyse
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import Target, at_most
from topologies.loads import max_link_utilisation
from topologies.model import Topology, Ways
from topologies.optimum import min_max_utilisation
from topologies.paths import shortest_paths
from topologies.random_networks import random_network
from twin.candidates import CandidatePaths, routing_after
from twin.forecaster import LOOKBACK
from twin.indexing import FloatArray, Indexing
from twin.optimise import optimise
from twin.policies import TwinPolicy
from twin.situation import Situation
from twin.training import train

_LEAST = 0.9
_HOT = 1.2
_GOAL_TRUE, _GOAL_FORECAST = 1.05, 1.10
_GOAL_MS, _GOAL_LARGE_MS = 50.0, 500.0
_TRAINING_S = 30.0
_LARGE_SWITCHES, _LARGE_LINKS, _LARGE_DECISIONS = 75, 110, 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    traffic_history.add_arguments(parser)
    parser.add_argument("--matrices", type=int, default=100, metavar="N", help="default: 100")
    parser.add_argument(
        "--on-packets",
        type=int,
        default=5,
        metavar="N",
        help="how many of them in a lab, too, 40 s each; default: 5",
    )


@dataclass(frozen=True)
class Case:
    """One matrix and what was made of it. Ratios are over the linear program's minimum."""

    matrix_bps: FloatArray
    """(hosts, hosts)"""
    routing: Ways
    """For the matrix itself."""
    shortest: float
    true: float
    forecast: float
    decided_ms: float


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
        decider.case(rates[at], forecaster.forecast(rates[at - LOOKBACK : at])[0])
        for at in map(int, chosen)
    ]
    measured = list(_on_packets(topology, cases[: arguments.on_packets], step))
    step(f"deciding for {_LARGE_SWITCHES} switches", None)
    large_ms = _large_decisions_ms(arguments.seed)
    rows: list[dict[str, Any]] = [
        {"what": "in the model", "figures": _shown(cases)},
        {"what": "on packets", "figures": {"te ratios": measured}},
        {"what": f"{_LARGE_SWITCHES} switches", "figures": {"decided ms": large_ms}},
    ]
    targets, shortest = _judged(cases, measured, large_ms)
    return Report("te", machine, rows, targets, {"shortest paths": shortest})


class Decider:
    """Routes matrices over one network."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.indexing = Indexing(topology)
        self._candidates = CandidatePaths(self.indexing)
        self._shortest = shortest_paths(topology)

    def case(self, od_bps: FloatArray, forecast_bps: FloatArray) -> Case:
        """Scale a matrix (pairs,) and its forecast alike, and route both."""
        scale = self.scale(od_bps)
        matrix_bps = self._square(od_bps * scale)
        begun_s = time.perf_counter()
        routing = self.route(od_bps * scale)
        decided_ms = 1e3 * (time.perf_counter() - begun_s)
        by_forecast = self.route(forecast_bps * scale)

        return Case(
            matrix_bps,
            routing,
            self.ratio(self._shortest, od_bps * scale),
            self.ratio(routing, od_bps * scale),
            self.ratio(by_forecast, od_bps * scale),
            decided_ms,
        )

    def scale(self, od_bps: FloatArray) -> float:
        """What to multiply a matrix (pairs,) by, so that the best routing fills `_LEAST`."""
        return _LEAST / min_max_utilisation(self.topology, self._square(od_bps))

    def ratio(self, routing: Ways, od_bps: FloatArray) -> float:
        """The TE ratio of a routing under a matrix (pairs,) that is scaled so."""
        return max_link_utilisation(self.topology, routing, self._square(od_bps)) / _LEAST

    def overloading(self, od_bps: FloatArray) -> FloatArray:
        """The matrix (pairs,) scaled until shortest paths fill the busiest link by `_HOT`."""
        busiest = max_link_utilisation(self.topology, self._shortest, self._square(od_bps))
        return od_bps * (_HOT / busiest)

    def route(self, od_bps: FloatArray) -> Ways:
        """As the twin policy does when a link runs hot."""
        candidates = self._candidates.available(self._shortest)
        plan = optimise(self.indexing, candidates, od_bps, budget_s=TwinPolicy.HURRY_S)
        return routing_after(self._shortest, plan.moves)

    def _square(self, od_bps: FloatArray) -> FloatArray:
        hosts = len(self.topology.hosts)
        matrix_bps = np.zeros((hosts, hosts))
        matrix_bps[self.indexing.source, self.indexing.target] = od_bps
        return matrix_bps


def _on_packets(topology: Topology, cases: Sequence[Case], step: Step) -> Iterator[float | None]:
    """The mean TE ratio at the ports of a lab with each case's routes."""
    indexing = Indexing(topology)
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(cases):
            step("on packets", number / len(cases))
            od_bps = case.matrix_bps[indexing.source, indexing.target]
            situation = Situation(topology, "delay", case.routing, od_bps)
            shadow = prepare_shadow(situation, f"te-{number}", Path(folder))
            run_lab(shadow.run_dir, shadow.sandbox, lambda _: None)
            summary = analyse(shadow.run_dir)
            yield summary.metrics.get("te_ratio", {}).get("mean") if summary.valid else None


def _large_decisions_ms(seed: int) -> list[float]:
    """How long decisions take on a large network, from hot shortest paths."""
    decider = Decider(random_network(_LARGE_SWITCHES, _LARGE_LINKS, seed))
    random = np.random.default_rng(seed)
    taken_ms = []
    for _ in range(_LARGE_DECISIONS):
        od_bps = decider.overloading(random.exponential(1.0, len(decider.topology.od_pairs)))
        begun_s = time.perf_counter()
        decider.route(od_bps)
        taken_ms.append(1e3 * (time.perf_counter() - begun_s))
    return taken_ms


def _judged(
    cases: Sequence[Case], measured: Sequence[float | None], large_ms: Sequence[float]
) -> tuple[list[Target], Mapping[str, float | None]]:
    def mean(values: Sequence[float]) -> float:
        return float(np.mean(values))

    known = [ratio for ratio in measured if ratio is not None]
    on_packets = mean(known) if len(known) == len(measured) > 0 else None
    shortest = mean([case.shortest for case in cases])
    true = "TE ratio, true matrix, mean"
    targets = [
        at_most(true, _GOAL_TRUE, mean([case.true for case in cases])),
        at_most(
            "TE ratio, forecast matrix, mean",
            _GOAL_FORECAST,
            mean([case.forecast for case in cases]),
        ),
        at_most("TE ratio on packets, true matrix, mean", _GOAL_TRUE, on_packets),
        at_most("decision, p95", _GOAL_MS, _p95([case.decided_ms for case in cases]), "ms"),
        at_most(f"decision, {_LARGE_SWITCHES} switches, p95", _GOAL_LARGE_MS, _p95(large_ms), "ms"),
    ]
    return targets, {true: shortest, "TE ratio, forecast matrix, mean": shortest}


def _p95(values: Sequence[float]) -> float:
    return float(np.percentile(values, 95, method="higher"))


def _shown(cases: Sequence[Case]) -> dict[str, list[float]]:
    return {
        name: [getattr(case, name) for case in cases]
        for name in ("shortest", "true", "forecast", "decided_ms")
    }

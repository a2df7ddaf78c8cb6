"""What lost telemetry costs the twin, with and without the VAE.

Held-out matrices of the history, as in `bench te`, each scaled until the best routing possible
fills its busiest link by 90 %. Of the hour before and of the matrix itself, 30 % of the telemetry
is lost: single counters at random, or all of some switches, silent for the hour. What the twin
takes for the matrix decides the routes; the TE ratio is that of the true matrix on them. Its
accuracy is how far the load that it expects of a link on those routes is off, in the mean.
`--on-packets` has runs in labs besides (benchmarks/telemetry_loss_lab.py).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from benchmarks import telemetry_loss_lab, traffic_history
from benchmarks.decider import Decider
from benchmarks.imputation_gaps import LOAD_ERROR, untold
from benchmarks.parts import CutShort, carry_out, joined
from benchmarks.report import Report, Step, this_machine
from generators.gaps import BoolArray
from generators.schedule import FloatArray
from generators.vae import TelemetryVae, train_vae
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import Target, at_most
from topologies.paths import shortest_paths

_LOST = 0.3
_HOUR = 12
_BUDGET_S = 600
_KINDS = ("counters", "switches")

Guess = Callable[[FloatArray, FloatArray], FloatArray]
"""Told the hour up to now, (steps, pairs), NaN where lost, and the loads of links; fills now."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    traffic_history.add_arguments(parser)
    parser.add_argument("--matrices", type=int, default=60, metavar="N", help="default: 60")
    parser.add_argument(
        "--on-packets", action="store_true", help="runs in labs besides: six minutes more"
    )


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Train, lose telemetry, route, and compare.

    Raises:
        DocumentError, HistoryError: there is no such network, or no such history.
        MeasurementError: the history has not so many matrices.
    """
    training, held_out = traffic_history.chosen(arguments)
    machine = this_machine()
    possible = np.arange(_HOUR, held_out.steps)
    if not 1 <= arguments.matrices <= len(possible):
        raise MeasurementError(f"--matrices: give 1 to {len(possible)}, of this history")
    vae = train_vae(training, arguments.seed, _BUDGET_S, lambda done, what: step(what, done))
    random = np.random.default_rng(arguments.seed)
    bench = _Bench(Decider(traffic_history.network(arguments)), vae, random)
    chosen = random.choice(possible, arguments.matrices, replace=False)
    found: list[Mapping[str, tuple[float, float]]] = []
    for number, now in enumerate(map(int, chosen)):
        step("losing telemetry, and routing", number / len(chosen))
        found.append(dict(bench.figures(held_out.rates_bps[now - _HOUR : now + 1])))
    rows: list[dict[str, Any]] = []
    for name in found[0]:
        ratio, off = np.mean([figures[name] for figures in found], axis=0).tolist()
        rows.append({"what": name, "figures": {"TE ratio": ratio, "load off, %": 100 * off}})
    modelled = Report("telemetry-loss", machine, rows, *_judged(rows))
    if not arguments.on_packets:
        return modelled
    seed = arguments.seed
    in_labs = telemetry_loss_lab.parts(arguments.topology, arguments.history, seed, _LOST)
    try:
        return joined(modelled, carry_out("telemetry-loss", machine, list(in_labs), step))
    except CutShort as interrupted:
        raise CutShort(joined(modelled, interrupted.report)) from None


class _Bench:
    def __init__(self, decider: Decider, vae: TelemetryVae, random: np.random.Generator) -> None:
        self._decider = decider
        self._vae = vae
        self._random = random
        self._shortest = decider.indexing.crossing(shortest_paths(decider.topology))

    def figures(self, hour_bps: FloatArray) -> Iterator[tuple[str, tuple[float, float]]]:
        """TE ratio and error of loads, by what was lost and how it was filled."""
        hour_bps = hour_bps * self._decider.scale(hour_bps[-1])
        yield "nothing lost", self._outcome(hour_bps[-1], hour_bps[-1])
        for kind in _KINDS:
            lost = self._lost(kind, hour_bps.shape)
            link_bps = self._loads(hour_bps[-1], lost[-1] if kind == "switches" else None)
            for name, guess in self._guesses().items():
                answer = guess(np.where(lost, np.nan, hour_bps), link_bps)
                yield f"30 % of {kind} lost, {name}", self._outcome(hour_bps[-1], answer)

    def _guesses(self) -> Mapping[str, Guess]:
        nothing = np.full(len(self._shortest), np.nan)

        def by_vae(hour: FloatArray, link_bps: FloatArray) -> FloatArray:
            return self._vae.impute(hour[-1], hour[:-1], link_bps, self._shortest)

        return {
            "last value": lambda hour, _: _last(hour),
            "VAE": lambda hour, _: by_vae(hour, nothing),
            "VAE and loads": by_vae,
        }

    def _lost(self, kind: str, shape: tuple[int, ...]) -> BoolArray:
        if kind == "counters":
            return np.asarray(self._random.random(shape) < _LOST)
        hosts = len(self._decider.topology.hosts)
        silent = self._random.permutation(hosts) < round(_LOST * hosts)
        lost = np.zeros(shape, dtype=bool)
        lost[-self._random.integers(1, _HOUR + 1) :] = silent[self._decider.indexing.source]
        return lost

    def _loads(self, od_bps: FloatArray, silent: BoolArray | None) -> FloatArray:
        """As counted at the ports; both ends of a link silent: unknown."""
        indexing = self._decider.indexing
        loads_bps = self._shortest @ od_bps
        loads_bps *= 1 + LOAD_ERROR * self._random.standard_normal(len(loads_bps))
        if silent is not None:
            at = indexing.topology.switch_of
            gone = {at[pair[0]] for pair, lost in zip(indexing.pairs, silent, strict=True) if lost}
            loads_bps[untold(indexing, gone)] = np.nan
        return loads_bps

    def _outcome(self, od_bps: FloatArray, taken_for_bps: FloatArray) -> tuple[float, float]:
        routing = self._decider.route(taken_for_bps)
        crossing = self._decider.indexing.crossing(routing)[: self._decider.indexing.cores]
        expected, loads = crossing @ taken_for_bps, crossing @ od_bps
        off = float(np.abs(expected - loads).sum() / loads.sum())
        return self._decider.ratio(routing, od_bps), off


def _last(hour_bps: FloatArray) -> FloatArray:
    """The newest known rate of each pair, zero without one."""
    answer = np.zeros(hour_bps.shape[1])
    for row in hour_bps:
        answer = np.where(np.isnan(row), answer, row)
    return answer


def _judged(
    rows: list[dict[str, Any]],
) -> tuple[list[Target], Mapping[str, Mapping[str, float | None]]]:
    """With the VAE and loads, nothing may be worse than with the last value."""
    of = {row["what"]: row["figures"] for row in rows}
    targets = []
    last_value: dict[str, float | None] = {}
    without_loads: dict[str, float | None] = {}
    nothing_lost: dict[str, float | None] = {}
    for kind in _KINDS:
        lost = f"30 % of {kind} lost"
        for figure, unit in (("TE ratio", ""), ("load off, %", "%")):
            name = f"{figure.removesuffix(', %')}, {lost}"
            last = of[f"{lost}, last value"][figure]
            measured = of[f"{lost}, VAE and loads"][figure]
            targets.append(at_most(name, round(last, 4), measured, unit))
            last_value[name] = last
            without_loads[name] = of[f"{lost}, VAE"][figure]
            nothing_lost[name] = of["nothing lost"][figure]
    return targets, {
        "last value": last_value,
        "VAE without loads": without_loads,
        "nothing lost": nothing_lost,
    }

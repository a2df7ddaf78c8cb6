"""How well the VAE fills gaps in telemetry and finds corrupt counters, beside other methods.

Trains on the first 11 of 14 parts of the history, measures on the rest. NMAE: the sum of absolute
errors over the sum of the true rates, over the hidden cells. Single cells are hidden at random, or
switches fall silent one after the other, with every pair that enters there. "Live" knows only what
came before and the rest of the step; "looking back" knows the whole record. Where loads are known,
they are those of all ports of the switches that are not silent, on shortest paths, each load off
by a standard error of 1 %; "core" leaves the ports of hosts out. No plain method uses loads; the
best of them, moved to agree with the loads the way the VAE's guesses are, shows what they alone do.
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
from benchmarks.imputation_corruption import corruption_row
from benchmarks.imputation_gaps import Gaps, cases, link_loads
from benchmarks.imputation_methods import CAUSAL, LOOKING_BACK
from benchmarks.peers import PeerError, run_peer
from benchmarks.report import Report, Step, this_machine
from generators.gaps import SPAN
from generators.link_constraints import agreeing_with_links
from generators.schedule import FloatArray
from generators.vae import LINK_TOLERANCE, Estimate, TelemetryVae, filled, train_vae
from testbed.reference.targets import Target, at_least, at_most, between
from topologies.model import Topology
from topologies.paths import shortest_paths
from twin.indexing import Indexing

_TRAINING_SHARE = 11 / 14
_BUDGET_S = 600
_BLOCK_GOAL = 0.75
"""Of the error of the best plain method."""
_PEER = "SAITS"
_WITH_LOADS = "best plain + loads"
_FOUND_PERCENT, _FALSE_PERCENT = 90.0, 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    traffic_history.add_arguments(parser)
    parser.add_argument(
        "--no-peer", action="store_true", help="leave SAITS out, which takes minutes to train"
    )


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Train, hide rates, fill them in, and compare.

    Raises:
        DocumentError, HistoryError: there is no such network, or no such history.
    """
    training, held_out = traffic_history.chosen(arguments, _TRAINING_SHARE)
    machine = this_machine()
    start_s = time.monotonic()
    vae = train_vae(training, arguments.seed, _BUDGET_S, lambda done, what: step(what, done))
    rows: list[dict[str, Any]] = [
        {
            "what": "training",
            "figures": {"steps": training.steps, "seconds": time.monotonic() - start_s},
        }
    ]
    network = Network(traffic_history.network(arguments))
    all_gaps = cases(held_out.rates_bps, network.indexing, np.random.default_rng(arguments.seed))
    bench = _Bench(vae, network, training.rates_bps, held_out.rates_bps)
    scores: list[Score] = []
    for number, gaps in enumerate(all_gaps):
        step(gaps.name, number / len(all_gaps))
        scores += bench.scores(gaps)
    if not arguments.no_peer:
        step(f"{_PEER}: training and filling", None)
        rows.append(_beside_peer(scores, training.rates_bps, held_out.rates_bps, all_gaps))
    step("corrupt counters", None)
    corruption = corruption_row(
        vae, network.crossing, training.rates_bps, held_out.rates_bps, arguments.seed
    )
    rows += [score.row() for score in scores] + [corruption]
    targets = [*(target for score in scores for target in score.targets()), *_found(corruption)]
    return Report("imputation", machine, rows, targets, _beside(scores))


class Network:
    """Which pair crosses which link on shortest paths."""

    def __init__(self, topology: Topology) -> None:
        self.indexing = Indexing(topology)
        self.crossing: FloatArray = self.indexing.crossing(shortest_paths(topology))


@dataclass
class Score:
    """NMAE of every method on the same hidden cells, in percent."""

    gaps: Gaps
    live: bool
    loads: str
    vae: float
    coverage: float
    others: dict[str, float]

    @property
    def name(self) -> str:
        """As a target."""
        when = "live" if self.live else "looking back"
        return f"NMAE, {when}, {self.gaps.name}{self.loads}"

    def targets(self) -> Iterator[Target]:
        """No worse than the best plain method, with blocks a quarter better.

        With loads: than the best plain method moved to agree with them.
        """
        plain = [value for name, value in self.others.items() if name in LOOKING_BACK]
        best = self.others[_WITH_LOADS] if self.loads else min(plain)
        share = _BLOCK_GOAL if self.gaps.block else 1.0
        yield at_most(self.name, round(share * best, 2), self.vae, "%")
        if not self.loads:
            name = self.name.replace("NMAE", "in 90 % interval")
            yield between(name, 80, 98, self.coverage, "%")

    def row(self) -> dict[str, Any]:
        """For the report."""
        figures = {"VAE": self.vae, **self.others, "coverage": self.coverage}
        return {"what": self.name, "figures": figures}


class _Bench:
    def __init__(
        self, vae: TelemetryVae, network: Network, history: FloatArray, truth: FloatArray
    ) -> None:
        self._vae = vae
        self._network = network
        self._history = history
        self._truth = truth

    def scores(self, gaps: Gaps) -> Iterator[Score]:
        seen = np.where(gaps.hidden, np.nan, self._truth)
        for live, methods in ((True, CAUSAL), (False, LOOKING_BACK)):
            fills = {name: fill(self._history, seen) for name, fill in methods.items()}
            others = {name: self._nmae(gaps, fill) for name, fill in fills.items()}
            best = fills[min(others, key=lambda name: others[name])]
            guessed = self._estimate(seen, live)
            inside = (guessed.low_bps <= self._truth) & (self._truth <= guessed.high_bps)
            coverage = 100 * float(inside[gaps.hidden].mean())
            for loads in ("", " + core loads", " + loads"):
                link_bps = link_loads(self._truth, gaps, self._network.crossing)
                if "core" in loads:
                    link_bps[:, self._network.indexing.cores :] = np.nan
                agreed = self._agreeing(seen, guessed, link_bps if loads else None)
                score = Score(gaps, live, loads, self._nmae(gaps, agreed), coverage, dict(others))
                if loads:
                    moved = self._moved(seen, best, link_bps)
                    score.others[_WITH_LOADS] = self._nmae(gaps, moved)
                yield score

    def _estimate(self, seen: FloatArray, live: bool) -> Estimate:
        """The end of the training history is known before the record."""
        before = self._history[-SPAN:]
        whole = self._vae.estimate(np.vstack([before, seen]), future=not live)
        rows = (whole.median_bps, whole.low_bps, whole.high_bps)
        return Estimate(*(row[len(before) :] for row in rows))

    def _agreeing(
        self, seen: FloatArray, guessed: Estimate, link_bps: FloatArray | None
    ) -> FloatArray:
        rows = zip(seen, guessed.median_bps, guessed.low_bps, guessed.high_bps, strict=True)
        return np.array(
            [
                filled(
                    rates,
                    Estimate(*estimate),
                    None if link_bps is None else link_bps[number],
                    self._network.crossing,
                )
                for number, (rates, *estimate) in enumerate(rows)
            ]
        )

    def _moved(self, seen: FloatArray, plain: FloatArray, link_bps: FloatArray) -> FloatArray:
        """A plain method's answer made to agree, the larger rates the more uncertain."""
        crossing = self._network.crossing
        return np.array(
            [
                agreeing_with_links(guess, guess, np.isnan(row), loads, crossing, LINK_TOLERANCE)
                for row, guess, loads in zip(seen, plain, link_bps, strict=True)
            ]
        )

    def _nmae(self, gaps: Gaps, answer: FloatArray) -> float:
        off = np.abs(answer - self._truth)[gaps.hidden].sum()
        return 100 * float(off / self._truth[gaps.hidden].sum())


def _beside_peer(
    scores: Sequence[Score], history: FloatArray, truth: FloatArray, all_gaps: Sequence[Gaps]
) -> dict[str, Any]:
    """Add what SAITS reaches to the scores that look back; or say why it cannot be had."""
    begun_s = time.monotonic()
    seen = {f"seen_{i}": np.where(g.hidden, np.nan, truth) for i, g in enumerate(all_gaps)}
    try:
        with tempfile.TemporaryDirectory() as folder:
            answers = run_peer("pypots", "saits", Path(folder), {"history": history, **seen})
    except PeerError as error:
        return {"what": _PEER, "failed": str(error)}
    for number, gaps in enumerate(all_gaps):
        off = np.abs(answers[f"filled_{number}"] - truth)[gaps.hidden].sum()
        nmae = 100 * float(off / truth[gaps.hidden].sum())
        for score in scores:
            if score.gaps is gaps and not score.live:
                score.others[_PEER] = nmae
    return {"what": _PEER, "figures": {"seconds": time.monotonic() - begun_s}}


def _beside(scores: Sequence[Score]) -> Mapping[str, Mapping[str, float | None]]:
    names = [*LOOKING_BACK, _PEER, _WITH_LOADS]
    beside = {
        name: {score.name: score.others[name] for score in scores if name in score.others}
        for name in names
    }
    return {name: column for name, column in beside.items() if column}


def _found(corruption: Mapping[str, Any]) -> Iterator[Target]:
    figures = corruption["figures"]
    for kind in ("stuck", "jumping"):
        found = figures[f"{kind}: found, % of the traffic"]
        yield at_least(f"corrupt counters found, {kind}", _FOUND_PERCENT, found, "%")
    yield at_most("sound counters suspected", _FALSE_PERCENT, figures["false alarms, %"], "%")

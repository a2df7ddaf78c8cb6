"""How well the VAE fills gaps in telemetry and finds corrupt counters, beside other methods.

Trains on the first 11 of 14 parts of the history, measures on the rest. NMAE: the sum of absolute
errors over the sum of the true rates, over the hidden cells. Single cells are hidden at random, or
switches fall silent one after the other, with every pair that enters there. "Live" knows only what
came before and the rest of the step; "looking back" knows the whole record. Where loads are known,
they are those of all ports of the switches that are not silent, on shortest paths, each load off
by a standard error of 1 %; "core loads" leave the ports of hosts out. What is compared with what
says `imputation_scores.py`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import traffic_history
from benchmarks.imputation_corruption import corruption_row
from benchmarks.imputation_gaps import Gaps, cases, link_loads
from benchmarks.imputation_methods import CAUSAL, LOOKING_BACK
from benchmarks.imputation_scores import Score, beside
from benchmarks.peers import PeerError, run_peer
from benchmarks.report import Report, Step, this_machine
from generators.estimate import Estimate
from generators.gaps import SPAN
from generators.link_constraints import agreeing_with_links, error_of_known_loads
from generators.looking_back import filled_with_loads
from generators.schedule import FloatArray
from generators.vae import TelemetryVae, train_vae
from testbed.reference.targets import Target, at_least, at_most
from topologies.model import Topology
from topologies.paths import shortest_paths
from twin.indexing import Indexing

_TRAINING_SHARE = 11 / 14
_BUDGET_S = 600
_PEER = "SAITS"
_PLAIN_ERROR = 0.2
"""Standard error of what a plain method guesses, as a share of it: best for them in training."""
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
        known_bps, truth_bps = training.rates_bps, held_out.rates_bps
        rows.append(_beside_peer(scores, known_bps, truth_bps, all_gaps, arguments.seed))
    step("corrupt counters", None)
    corruption = corruption_row(
        vae, network.crossing, training.rates_bps, held_out.rates_bps, arguments.seed
    )
    rows += [score.row() for score in scores] + [corruption]
    targets = [*(target for score in scores for target in score.targets()), *_found(corruption)]
    return Report("imputation", machine, rows, targets, beside(scores))


class Network:
    """Which pair crosses which link on shortest paths."""

    def __init__(self, topology: Topology) -> None:
        self.indexing = Indexing(topology)
        self.crossing: FloatArray = self.indexing.crossing(shortest_paths(topology))


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
        fills = {name: fill(self._history, seen) for name, fill in LOOKING_BACK.items()}
        plain = {name: self._nmae(gaps, fill) for name, fill in fills.items()}
        for loads, link_bps in self._loads(gaps).items():
            moved = {
                name: self._nmae(gaps, self._moved(seen, fill, link_bps))
                for name, fill in fills.items()
                if loads
            }
            for live, methods in ((True, CAUSAL), (False, LOOKING_BACK)):
                answer = self._answer(seen, link_bps if loads else None, live)
                inside = (answer.low_bps <= self._truth) & (self._truth <= answer.high_bps)
                yield Score(
                    gaps,
                    live,
                    loads,
                    vae=self._nmae(gaps, answer.median_bps),
                    coverage=100 * float(inside[gaps.hidden].mean()),
                    plain={name: plain[name] for name in methods},
                    linear=plain["linear"],
                    moved={name: moved[name] for name in methods if loads},
                )

    def _loads(self, gaps: Gaps) -> Mapping[str, FloatArray]:
        """(steps, links), NaN where unknown, by which of them are known."""
        link_bps = link_loads(self._truth, gaps, self._network.crossing)
        core_bps = link_bps.copy()
        core_bps[:, self._network.indexing.cores :] = np.nan
        return {"": np.full(link_bps.shape, np.nan), "core loads": core_bps, "loads": link_bps}

    def _answer(self, seen: FloatArray, link_bps: FloatArray | None, live: bool) -> Estimate:
        """The VAE's; the end of the training history is known before the record."""
        before = self._history[-SPAN:]
        record = np.vstack([before, seen])
        crossing = self._network.crossing
        if live and link_bps is not None:
            return Estimate.stacked(
                [
                    self._vae.informed(rates, record[step : step + SPAN], link_bps[step], crossing)
                    for step, rates in enumerate(seen)
                ]
            )
        if link_bps is None:
            whole = self._vae.estimate(record, future=not live)
        else:
            unknown = np.full((len(before), link_bps.shape[1]), np.nan)
            whole = filled_with_loads(self._vae, record, np.vstack([unknown, link_bps]), crossing)
        return whole.at(slice(len(before), None))

    def _moved(self, seen: FloatArray, plain: FloatArray, link_bps: FloatArray) -> FloatArray:
        """A plain method's answer made to agree, the larger rates the more uncertain."""
        crossing = self._network.crossing
        answer = []
        for rates, guess, loads in zip(seen, plain, link_bps, strict=True):
            gaps = np.isnan(rates)
            off = error_of_known_loads(guess, gaps, loads, crossing)
            agreed = agreeing_with_links(guess, _PLAIN_ERROR * guess, gaps, loads, crossing, off)
            answer.append(agreed.rates_bps)
        return np.array(answer)

    def _nmae(self, gaps: Gaps, answer: FloatArray) -> float:
        return _nmae(gaps, answer, self._truth)


def _nmae(gaps: Gaps, answer: FloatArray, truth: FloatArray) -> float:
    """In percent."""
    off = np.abs(answer - truth)[gaps.hidden].sum()
    return 100 * float(off / truth[gaps.hidden].sum())


def _beside_peer(
    scores: Sequence[Score],
    history: FloatArray,
    truth: FloatArray,
    all_gaps: Sequence[Gaps],
    seed: int,
) -> dict[str, Any]:
    """Add what SAITS reaches to the scores that look back; or say why it cannot be had."""
    begun_s = time.monotonic()
    seen = {f"seen_{i}": np.where(g.hidden, np.nan, truth) for i, g in enumerate(all_gaps)}
    asked = {"history": history, **seen}
    try:
        with tempfile.TemporaryDirectory() as folder:
            answers = run_peer("pypots", "saits", Path(folder), asked, seed)
    except PeerError as error:
        return {"what": _PEER, "failed": str(error)}
    for number, gaps in enumerate(all_gaps):
        for score in scores:
            if score.gaps is gaps and not score.live:
                score.peers[_PEER] = _nmae(gaps, answers[f"filled_{number}"], truth)
    return {"what": _PEER, "figures": {"seconds": time.monotonic() - begun_s}}


def _found(corruption: Mapping[str, Any]) -> Iterator[Target]:
    figures = corruption["figures"]
    for kind in ("stuck", "jumping"):
        found = figures[f"{kind}: found, % of the traffic"]
        yield at_least(f"corrupt counters found, {kind}", _FOUND_PERCENT, found, "%")
    yield at_most("sound counters suspected", _FALSE_PERCENT, figures["false alarms, %"], "%")

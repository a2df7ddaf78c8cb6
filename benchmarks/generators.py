"""Traffic made by the GAN against real traffic that it has not seen, beside its rivals.

The first half of the history trains, the second judges. "floor" is the first half itself: how far
apart two real halves are. Rivals: a seasonal block bootstrap, a Gaussian copula with AR(1) noise,
and the public DGAN (gretel-synthetics) and PAR (SDV's deepecho), each in an environment of its own;
one that cannot be had is told with the reason. Beside them stand the GAN before its adversarial
training, and the GAN under differential privacy. All figures are distances: smaller is better.

- jsd ... spectrum_error: see `generators/fidelity.py`;
- tstr_wape: error of a forecaster that learnt from made traffic, on the second half; mean of three,
  each with a seed and, where there are several, a made series of its own;
- memorisation: by how much the nearest 2 % of all made windows are nearer to the training than the
  nearest 2 % of real unseen ones are: more than a few copied windows show;
- monotony: by how much they are nearer to each other than real ones are, in the median.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

from benchmarks import traffic_history
from benchmarks.peers import PeerError, run_peer
from benchmarks.report import Report, Step, this_machine
from benchmarks.traffic_makers import block_bootstrap, copula_ar
from cli.arguments import read_positive
from generators.fidelity import fidelity, log_rates, nearest
from generators.gan import TrafficGan
from generators.gan_material import untrained_gan
from generators.gan_private import train_private_gan
from generators.gan_training import train_gan
from generators.history import History
from generators.schedule import FloatArray
from generators.training_loop import Progress
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import Target, at_most
from topologies.model import Topology
from twin.forecaster import HORIZONS, LOOKBACK
from twin.training import train, wape

_SAMPLES = 3
"""Series of each maker, over which its figures are averaged; one of the peers."""
_FORECASTERS = 3
_BUDGET_S = 600.0
_TRAINING_SHARE = 0.5
_FLOOR_MARGIN = 1.3
_TSTR_MARGIN = 1.1
_COPIED_SHARE = 0.02
_MOST_MEMORISATION = 0.1
_JUDGED = ("jsd", "emd", "acf_error")
_DAY_S = 86_400.0
_PEERS = {"DGAN": "dgan", "PAR": "par"}

Figures = Mapping[str, float]
Maker = Callable[[int], FloatArray]
"""From a seed to rates (steps, pairs) at the times of the second half."""


@dataclass(frozen=True)
class _Judge:
    """What made traffic is measured against."""

    topology: Topology
    training: History
    held_out: History
    seed: int

    def figures(self, made: list[FloatArray]) -> Figures:
        """Mean distances of some series."""
        each = [self._distances(series) for series in made]
        means = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
        errors = [self._tstr(made[n % len(made)], self.seed + n) for n in range(_FORECASTERS)]
        return {**means, "tstr_wape": float(np.mean(errors))}

    def _distances(self, series_bps: FloatArray) -> Figures:
        real_bps, known_bps = self.held_out.rates_bps, self.training.rates_bps
        same = fidelity(series_bps, real_bps, self.held_out.step_s)
        return {
            **asdict(same),
            "memorisation": memorisation(series_bps, known_bps, real_bps),
            "monotony": _shortfall(
                nearest(series_bps, series_bps, itself=True),
                nearest(real_bps, real_bps, itself=True),
            ),
        }

    def _tstr(self, series_bps: FloatArray, seed: int) -> float:
        forecaster = train(self.topology, series_bps, seed)
        real_bps = self.held_out.rates_bps
        ends = range(LOOKBACK, len(real_bps) - HORIZONS + 1, 3)
        said = np.stack([forecaster.forecast(real_bps[end - LOOKBACK : end]) for end in ends])
        came = np.stack([real_bps[end : end + HORIZONS] for end in ends])
        return wape(said, came)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    traffic_history.add_arguments(parser)
    parser.add_argument("--no-peers", action="store_true", help="without DGAN and PAR")
    parser.add_argument(
        "--dp-epsilon",
        type=read_positive,
        default=8.0,
        metavar="E",
        help="of the private GAN; default: 8",
    )


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Train, make, measure.

    Raises:
        DocumentError, HistoryError: there is no such network, or no such history.
    """
    machine = this_machine()
    training, held_out = traffic_history.chosen(arguments, _TRAINING_SHARE)
    judge = _Judge(traffic_history.network(arguments), training, held_out, arguments.seed)
    rows: list[dict[str, Any]] = []
    columns: dict[str, Figures] = {}
    makers = _makers(arguments, training, held_out, step)
    for name, prepare in makers.items():
        step(name, len(rows) / len(makers))
        begun_s = time.monotonic()
        try:
            maker = prepare()
            made = [maker(arguments.seed + number) for number in range(_samples(name))]
        except (PeerError, MeasurementError) as error:
            rows.append({"what": name, "failed": f"not available: {_reason(error)}"})
            continue
        seconds = time.monotonic() - begun_s
        columns[name] = judge.figures(made)
        rows.append({"what": name, "figures": {**columns[name], "seconds": seconds}})
    ranks = mean_ranks({name: c for name, c in columns.items() if name in _ranked()})
    for row in rows:
        if row["what"] in ranks:
            row["figures"]["mean_rank"] = ranks[row["what"]]
    targets = list(targets_of(columns["GAN"], columns["floor"], ranks))
    return Report("generators", machine, rows, targets, _beside(columns, ranks))


def mean_ranks(columns: Mapping[str, Figures]) -> dict[str, float]:
    """Each maker's rank (1: best), averaged over all figures; ties share their ranks."""
    names = list(columns)
    figures = np.array([list(columns[name].values()) for name in names])
    means = rankdata(figures, axis=0).mean(axis=1)
    return dict(zip(names, means.tolist(), strict=True))


def targets_of(made: Figures, floor: Figures, ranks: Mapping[str, float]) -> Iterator[Target]:
    """Near the floor, useful for training, and ahead of every rival."""
    for name in _JUDGED:
        yield at_most(name, _FLOOR_MARGIN * floor[name], made[name])
    yield at_most("tstr_wape", _TSTR_MARGIN * floor["tstr_wape"], made["tstr_wape"])
    yield at_most("memorisation", _MOST_MEMORISATION, made["memorisation"])
    best = min((rank for name, rank in ranks.items() if name != "GAN"), default=np.inf)
    yield at_most("mean_rank", float(np.nextafter(best, 0)), ranks["GAN"])


def memorisation(made_bps: FloatArray, known_bps: FloatArray, unseen_bps: FloatArray) -> float:
    """Return by which share the nearest made windows are nearer to what is known than unseen ones.

    0: not nearer at all; 1: copies.
    """
    made, unseen = (
        nearest(series, known_bps, quantile=_COPIED_SHARE) for series in (made_bps, unseen_bps)
    )
    return _shortfall(made, unseen)


def _beside(
    columns: Mapping[str, Figures], ranks: Mapping[str, float]
) -> dict[str, dict[str, float | None]]:
    wanted = (*_JUDGED, "tstr_wape", "memorisation")
    return {
        name: {**{key: column[key] for key in wanted}, "mean_rank": ranks.get(name)}
        for name, column in columns.items()
        if name != "GAN"
    }


def _ranked() -> set[str]:
    return {"GAN", "bootstrap", "copula + AR", *_PEERS}


def _samples(name: str) -> int:
    return 1 if name == "floor" or name in _PEERS else _SAMPLES


def _makers(
    arguments: argparse.Namespace, training: History, held_out: History, step: Step
) -> dict[str, Callable[[], Maker]]:
    """What makes each maker: the training, if there is one."""
    steps, seed = held_out.steps, arguments.seed

    def of_gan(gan: TrafficGan) -> Maker:
        return lambda number: gan.series(held_out, number).rates_bps

    def progress(done: float, what: str) -> None:
        step(what, done)

    def simple(make: Callable[..., FloatArray]) -> Callable[[], Maker]:
        return lambda: (
            lambda number: make(
                training.rates_bps, steps, training.step_s, np.random.default_rng(number)
            )
        )

    makers: dict[str, Callable[[], Maker]] = {
        "floor": lambda: lambda _: training.rates_bps,
        "GAN": lambda: of_gan(train_gan(training, seed, _BUDGET_S, progress)),
        "GAN untrained": lambda: of_gan(untrained_gan(training, seed)),
        f"GAN, epsilon {arguments.dp_epsilon:g}": lambda: of_gan(
            _private_gan(training, seed, arguments.dp_epsilon, progress)
        ),
        "bootstrap": simple(block_bootstrap),
        "copula + AR": simple(copula_ar),
    }
    if not arguments.no_peers:
        for name, script in _PEERS.items():
            makers[name] = lambda script=script: _peer(script, training, steps, seed)  # type: ignore[misc]
    return makers


def _private_gan(training: History, seed: int, epsilon: float, progress: Progress) -> TrafficGan:
    try:
        return train_private_gan(training, seed, _BUDGET_S, epsilon, progress)[0]
    except ValueError as error:
        raise MeasurementError(f"--dp-epsilon {epsilon:g}: {error}") from error


def _peer(script: str, training: History, steps: int, seed: int) -> Maker:
    day_steps = min(training.steps, max(2, round(_DAY_S / training.step_s)))
    arrays = {
        "logs": log_rates(training.rates_bps),
        "day_steps": np.array(float(day_steps)),
        "steps": np.array(float(steps)),
    }
    with tempfile.TemporaryDirectory() as folder:
        logs = run_peer(script, script, Path(folder), arrays, seed)["logs"]
    rates_bps = 1e3 * np.expm1(np.nan_to_num(logs, nan=0.0).clip(min=0.0, max=30.0))
    return lambda _: rates_bps


def _shortfall(made: float, real: float) -> float:
    return max(0.0, 1 - made / real) if real > 0 else 0.0


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]

"""Forecasters at work in labs: rare episodes replayed, the twin policy rerouting by the forecasts.

Of every condition some episodes, from a little before what is judged of them, scaled until the best
routing fills the busiest link by `_FULL` in the heaviest of the judged steps. Each is replayed once
for every forecaster, on the same network, with the same policy. What is told is of the whole
network while it is judged: how far forecasts of the next step were off the counters, the TE ratio
at the ports, and how many packets were lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.benefit_conditions import RARE, Episode
from benchmarks.benefit_costs import TE_RATIO, WAPE
from benchmarks.benefit_forecasters import ONE_DAY
from benchmarks.measured_run import measured_run
from benchmarks.report import Step
from generators.schedule import Schedule
from playbooks.bare_run import BareRun, prepare_bare_run
from results.analysis import analyse
from topologies.catalogue import with_core_shape
from topologies.model import Topology
from topologies.optimum import min_max_utilisation
from twin.forecast import LearnedForecaster
from twin.forecaster import LOOKBACK, Forecaster
from twin.indexing import Indexing
from twin.policies import TwinPolicy

LOST = "packets lost, %"
FIGURES = (WAPE, TE_RATIO, LOST)
IN_LABS = (ONE_DAY, "one day + GAN with incidents", "all days")
"""Ordinary samples alone are left out: in the model they change less than packets could show."""

_RATE_BPS, _QUEUE_PACKETS = 8e6, 100
_FULL = 0.85
_STEP_S = 2.0
_LEAD = LOOKBACK + 2
"""Steps before those that are judged: what a forecaster looks back on, and two to adapt to."""
_JUDGED = 10

Outcome = Mapping[str, float]
"""By figure."""
Outcomes = Mapping[str, Outcome]
"""Of one episode, by forecaster."""


@dataclass(frozen=True)
class Stage:
    """A network, and a stretch of traffic to be replayed on it."""

    topology: Topology
    schedule: Schedule
    measure_from_s: float


def stage(topology: Topology, episode: Episode) -> Stage:
    """The stretch of an episode around what is judged of it."""
    network = with_core_shape(topology, rate_bps=_RATE_BPS, queue_packets=_QUEUE_PACKETS)
    first = int(np.flatnonzero(episode.judged.any(axis=1))[0])
    rates_bps = episode.rates_bps[max(0, first - _LEAD) : first + _JUDGED]
    lead = min(first, _LEAD)
    matrices = Indexing(network).matrix(rates_bps)
    heaviest = max(min_max_utilisation(network, matrix) for matrix in matrices[lead:])
    hosts = tuple(host.name for host in network.hosts)
    schedule = Schedule(hosts, _STEP_S, matrices * (_FULL / heaviest))
    return Stage(network, schedule, lead * _STEP_S)


def outcomes(
    topology: Topology,
    episodes: Mapping[str, Sequence[Episode]],
    forecasters: Mapping[str, Forecaster],
    count: int,
    seed: int,
    step: Step,
) -> dict[str, list[Outcomes]]:
    """By condition, an outcome of every forecaster for each of `count` episodes.

    Episodes of which a run was not valid are left out: they compare nothing.

    Raises:
        MissingProgramError, SandboxUnavailableError, LinkError: this machine cannot do it.
    """
    random = np.random.default_rng(seed)
    chosen = [
        (condition, episodes[condition][number])
        for condition in RARE
        for number in random.permutation(len(episodes[condition]))[:count]
    ]
    found: dict[str, list[Outcomes]] = {condition: [] for condition in RARE}
    for done, (condition, episode) in enumerate(chosen):
        ready = stage(topology, episode)
        told: dict[str, Outcome] = {}
        for name, forecaster in forecasters.items():
            share = (done + len(told) / len(forecasters)) / len(chosen)
            step(f"on packets: {condition}, {name}", share)
            if (outcome := _outcome(ready, forecaster)) is None:
                break
            told[name] = outcome
        else:
            found[condition].append(told)
    return found


def _outcome(stage: Stage, forecaster: Forecaster) -> Outcome | None:
    summary = measured_run(partial(_prepared, stage, forecaster), analyse)
    metrics = summary.metrics
    needed = {"predictive_accuracy_percent", "te_ratio", "error_rate_percent"}
    if not summary.valid or not needed <= metrics.keys():
        return None
    return {
        WAPE: 1 - metrics["predictive_accuracy_percent"] / 100,
        TE_RATIO: metrics["te_ratio"]["mean"],
        LOST: metrics["error_rate_percent"],
    }


def _prepared(stage: Stage, forecaster: Forecaster, folder: Path) -> BareRun:
    assert isinstance(forecaster, LearnedForecaster), "it goes to the lab as a file of weights"
    weights = folder / "forecaster.pt"
    forecaster.save(weights)
    return prepare_bare_run(
        "what a forecaster is worth",
        "benefit",
        folder,
        stage.topology,
        stage.schedule,
        stage.measure_from_s,
        policy=TwinPolicy.name,
        forecaster=weights,
    )

"""Train the forecaster of the twin on a history of a network, and keep it in the model store.

Its score is the error (WAPE, three intervals ahead) on the last 15 % of the history, which only
decided which weights are best; persistence stands beside it.

example:
  twinbed train forecaster --history abilene.npz --topology topohub:sndlib/abilene --out abilene-f
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cli.errors import UserError
from cli.model_keeping import add_arguments as add_common_arguments
from cli.model_keeping import train_and_keep
from generators.history import History
from generators.schedule import FloatArray
from results.metrics.prediction import wape
from topologies.catalogue import load_topology
from twin.forecaster import HORIZONS, LOOKBACK, Forecaster, PersistenceForecaster

if TYPE_CHECKING:  # torch takes seconds to import
    from generators.training_loop import Progress
    from twin.forecast import LearnedForecaster

_JUDGED_SHARE = 0.15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_common_arguments(parser, "forecaster")


def run(arguments: argparse.Namespace) -> int:
    """Train, and store what came of it."""
    if arguments.topology is None:
        raise UserError("--topology: a forecaster is one of a network: name it")

    def train_it(history: History, seed: int, _: Progress) -> LearnedForecaster:
        from twin.training import train

        topology = load_topology(arguments.topology)
        return train(topology, history.rates_bps, seed, arguments.budget_s)

    return train_and_keep(arguments, "forecaster", train_it, _scores)


def _scores(forecaster: Forecaster, history: History, _: int) -> Mapping[str, float | None]:
    steps = max(history.steps - round(history.steps * (1 - _JUDGED_SHARE)), LOOKBACK + HORIZONS)
    last_bps = history.rates_bps[-steps:]
    return {
        "wape": _wape(forecaster, last_bps),
        "wape_of_persistence": _wape(PersistenceForecaster(), last_bps),
    }


def _wape(forecaster: Forecaster, rates_bps: FloatArray) -> float | None:
    ends = range(LOOKBACK, len(rates_bps) - HORIZONS + 1)
    said = np.stack([forecaster.forecast(rates_bps[end - LOOKBACK : end]) for end in ends])
    return wape(said, np.stack([rates_bps[end : end + HORIZONS] for end in ends]))

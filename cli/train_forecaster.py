"""Train the forecaster of the twin on a history of a network, and keep it in the model store.

Its score is the error (WAPE, three intervals ahead) on the last 15 % of the history, which only
decided which weights are best; persistence stands beside it.

example:
  twinbed train forecaster --history abilene.npz --topology topohub:sndlib/abilene --out abilene-f
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from cli.errors import UserError
from cli.model_keeping import add_arguments as add_common_arguments
from cli.model_keeping import check, keep, named_history, say, told_errors
from cli.output import messages
from cli.progress import RunProgress
from generators.model_store import ModelStore, Record
from generators.schedule import FloatArray
from topologies.catalogue import load_topology
from twin.forecaster import HORIZONS, LOOKBACK, Forecaster, PersistenceForecaster

_JUDGED_SHARE = 0.15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_common_arguments(parser, "forecaster")


def run(arguments: argparse.Namespace) -> int:
    """Train, and store what came of it."""
    check(arguments)
    if arguments.topology is None:
        raise UserError("--topology: a forecaster is one of a network: name it")
    with told_errors():
        record = _train(arguments)
    say(record, as_json=arguments.json)
    return 0


def _train(arguments: argparse.Namespace) -> Record:
    version = ModelStore().next_version(arguments.out)  # refuses what is no name
    seed = arguments.seed or 0
    with RunProgress(messages).shown() as progress:
        progress.label(f"train forecaster: {arguments.out}@{version}")
        progress.step("reading the history")
        history = named_history(arguments.history, arguments.topology)
        from twin.training import train

        progress.step("training the forecaster")
        begun_s = time.monotonic()
        forecaster = train(
            load_topology(arguments.topology), history.rates_bps, seed, arguments.budget_s
        )
        seconds = time.monotonic() - begun_s
        last_bps = history.rates_bps[round(history.steps * (1 - _JUDGED_SHARE)) :]
        last_bps = history.rates_bps[-max(len(last_bps), LOOKBACK + HORIZONS) :]
        scores = {
            "wape": _wape(forecaster, last_bps),
            "wape_of_persistence": _wape(PersistenceForecaster(), last_bps),
        }
        return keep(
            forecaster,
            "forecaster",
            arguments,
            history,
            seed=seed,
            scores=scores,
            seconds=seconds,
        )


def _wape(forecaster: Forecaster, rates_bps: FloatArray) -> float:
    from twin.training import wape

    ends = range(LOOKBACK, len(rates_bps) - HORIZONS + 1)
    said = np.stack([forecaster.forecast(rates_bps[end - LOOKBACK : end]) for end in ends])
    return wape(said, np.stack([rates_bps[end : end + HORIZONS] for end in ends]))

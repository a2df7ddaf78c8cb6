"""Train the VAE that fills gaps in the telemetry on a history, and keep it in the model store.

Its score is the error (NMAE) on the last day of the history with half of the cells hidden, which it
has learnt from; `twinbed bench imputation` judges it by what it has not seen.

example:
  twinbed train vae --history abilene.npz --topology topohub:sndlib/abilene --out abilene-vae
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np

from cli.model_keeping import add_arguments as add_common_arguments
from cli.model_keeping import check, keep, named_history, say, shown, told_errors
from cli.output import messages
from cli.progress import RunProgress
from generators.history import History
from generators.model_store import ModelStore, Record

if TYPE_CHECKING:  # torch takes seconds to import
    from generators.vae import TelemetryVae

_DAY_S = 86_400.0
_HIDDEN_SHARE = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_common_arguments(parser, "vae")


def run(arguments: argparse.Namespace) -> int:
    """Train, and store what came of it."""
    check(arguments)
    with told_errors():
        record = _train(arguments)
    say(record, as_json=arguments.json)
    return 0


def _train(arguments: argparse.Namespace) -> Record:
    version = ModelStore().next_version(arguments.out)  # refuses what is no name
    seed = arguments.seed or 0
    with RunProgress(messages).shown() as progress:
        progress.label(f"train vae: {arguments.out}@{version}")
        progress.step("reading the history")
        history = named_history(arguments.history, arguments.topology)
        from generators.vae import train_vae

        begun_s = time.monotonic()
        vae = train_vae(history, seed, arguments.budget_s, shown(progress))
        seconds = time.monotonic() - begun_s
        progress.step("filling gaps of the history")
        scores = {"nmae": _nmae(vae, history, np.random.default_rng(seed))}
        return keep(vae, "vae", arguments, history, seed=seed, scores=scores, seconds=seconds)


def _nmae(vae: TelemetryVae, history: History, numbers: np.random.Generator) -> float:
    """Of what is hidden: sum of the absolute errors over the sum of the rates."""
    day_bps = history.rates_bps[-max(1, round(_DAY_S / history.step_s)) :]
    hidden = numbers.random(day_bps.shape) < _HIDDEN_SHARE
    guessed_bps = vae.estimate(np.where(hidden, np.nan, day_bps), future=False).median_bps
    known = hidden & np.isfinite(guessed_bps)
    errors_bps = np.abs(guessed_bps - day_bps)[known]
    return float(errors_bps.sum() / max(day_bps[known].sum(), 1e-9))

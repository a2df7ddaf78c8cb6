"""Train the VAE that fills gaps in the telemetry on a history, and keep it in the model store.

Its score is the error (NMAE) on the last day of the history with half of the cells hidden, which it
has learnt from; `twinbed bench imputation` judges it by what it has not seen.

example:
  twinbed train vae --history abilene.npz --topology topohub:sndlib/abilene --out abilene-vae
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from cli.model_keeping import add_arguments as add_common_arguments
from cli.model_keeping import train_and_keep
from generators.history import History
from results.metrics.prediction import wape

if TYPE_CHECKING:  # torch takes seconds to import
    from generators.training_loop import Progress
    from generators.vae import TelemetryVae

_DAY_S = 86_400.0
_HIDDEN_SHARE = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_common_arguments(parser, "vae")


def run(arguments: argparse.Namespace) -> int:
    """Train, and store what came of it."""

    def train(history: History, seed: int, progress: Progress) -> TelemetryVae:
        from generators.vae import train_vae

        return train_vae(history, seed, arguments.budget_s, progress)

    return train_and_keep(arguments, "vae", train, _scores)


def _scores(vae: TelemetryVae, history: History, seed: int) -> Mapping[str, float | None]:
    return {"nmae": _nmae(vae, history, np.random.default_rng(seed))}


def _nmae(vae: TelemetryVae, history: History, numbers: np.random.Generator) -> float | None:
    """Of what is hidden: sum of the absolute errors over the sum of the rates."""
    day_bps = history.rates_bps[-max(1, round(_DAY_S / history.step_s)) :]
    hidden = numbers.random(day_bps.shape) < _HIDDEN_SHARE
    guessed_bps = vae.estimate(np.where(hidden, np.nan, day_bps), future=False).median_bps
    known = hidden & np.isfinite(guessed_bps)
    return wape(guessed_bps[known], day_bps[known])

"""The trained models of a run: what makes its traffic, and what its twin knows beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from generators.history import History
from generators.training import (
    Lesson,
    TrainedModels,
    cached,
    run_models,
    trained_models,
)
from topologies.model import Topology

if TYPE_CHECKING:  # torch takes seconds to import: wait for it only when a run is prepared
    from generators.gan import TrafficGan

Progress = Callable[[str, float | None], None]
"""Told what is being done, and which fraction of it is done, if that is known."""

_SEED = 0
"""The models are those of a network; the seed of a run varies only what they are asked for."""
_FORECASTER_BUDGET_S = 20.0
_MADE_WINDOWS = 500
"""That the forecaster learns from beside the history: a run replays what the GAN makes."""
_FORECASTER_VERSION = 2
"""Raise it when the code changes what the same history leads to."""


@dataclass(frozen=True)
class Models:
    """Trained models; those that the twin loads are files."""

    gan: TrafficGan
    vae: Path
    forecaster: Path


def generative_models(topology: Topology, history: History, progress: Progress) -> TrainedModels:
    """Train what makes the traffic of `history`, or take it from the cache."""
    progress("training the generative models", 0.0)
    return trained_models(topology, history, _SEED, lambda fraction, what: progress(what, fraction))


def prepare_models(
    topology: Topology, history: History, folder: Path, progress: Progress
) -> Models:
    """Train the models of `history`, or take them from the cache.

    Files that cannot be cached are written to `folder`.
    """
    from twin.forecast import LearnedForecaster
    from twin.forecaster import ForecasterError
    from twin.training import train

    generative = generative_models(topology, history, progress)
    vae = generative.vae_path or folder / "vae.pt"
    if generative.vae_path is None:
        generative.vae.save(vae)
    progress("training the forecaster", None)
    pairs = len(topology.od_pairs)
    forecaster, path = cached(
        run_models(),
        Lesson("forecaster", topology, history, _FORECASTER_VERSION, _SEED),
        lambda file: LearnedForecaster.load(file, pairs),
        lambda: train(
            topology,
            history.rates_bps,
            _SEED,
            _FORECASTER_BUDGET_S,
            list(generative.gan.benign_bps(_MADE_WINDOWS, _SEED)),
        ),
        ForecasterError,
    )
    if path is None:
        path = folder / "forecaster.pt"
        forecaster.save(path)
    return Models(generative.gan, vae, path)

"""Trained models for a history, from the cache where they have been trained before."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from generators.history import History
from generators.model_store import ModelStore, history_sha256, record_of
from topologies.model import Topology

if TYPE_CHECKING:  # torch takes seconds to import: only those who train wait for it
    from generators.gan import TrafficGan
    from generators.training_loop import Progress
    from generators.vae import TelemetryVae

CODE_VERSION = 3
"""Raise it when the code changes what the same history, hyper-parameters and seed lead to."""

GAN_BUDGET_S = 120.0
VAE_BUDGET_S = 60.0
_GAN_SHARE = 0.7
"""Of the time both take together."""

_log = logging.getLogger(__name__)


class Saveable(Protocol):
    """A trained model."""

    def save(self, path: Path) -> None:
        """Write it to a file."""


Model = TypeVar("Model", bound=Saveable)


@dataclass(frozen=True)
class TrainedModels:
    """The generative models of a history, and where they are cached (None: they could not be)."""

    gan: TrafficGan
    vae: TelemetryVae
    gan_path: Path | None
    vae_path: Path | None


def default_cache_dir() -> Path:
    """Return `$XDG_CACHE_HOME/twinbed`, with the default of the XDG base directory rules."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".cache"
    return base / "twinbed"


@dataclass(frozen=True)
class Lesson:
    """What is learnt from what: it decides which cached model is the right one."""

    kind: str
    """Of model."""
    topology: Topology
    history: History
    hyper_parameters: object
    seed: int

    @property
    def name(self) -> str:
        """Of the model in the cache."""
        key = cache_key(self.history, self.hyper_parameters, self.seed)
        return f"{self.kind}-{key}"


def run_models(cache_dir: Path | None = None) -> ModelStore:
    """Return where the models that were trained for runs are."""
    return ModelStore((cache_dir or default_cache_dir()) / "models")


def trained_models(
    topology: Topology,
    history: History,
    seed: int,
    progress: Progress | None = None,
    cache_dir: Path | None = None,
) -> TrainedModels:
    """Return the GAN and the VAE for `history`, trained now or cached before.

    A damaged cache file is trained anew, and a cache that cannot be written is done without;
    both are logged as warnings.

    Raises:
        ValueError: the history is one of other hosts than the topology's.
    """
    from generators import gan_training, vae
    from generators.gan import TrafficGan
    from generators.model_files import ModelFileError

    if history.hosts != tuple(host.name for host in topology.hosts):
        raise ValueError(f"the history's hosts {history.hosts} are not those of {topology.name}")
    cache = run_models(cache_dir)

    def share(first: float, last: float) -> Progress | None:
        return progress and (lambda done, what: progress(first + done * (last - first), what))

    trained_gan, gan_path = cached(
        cache,
        Lesson("gan", topology, history, dict(gan_training.HYPER_PARAMETERS), seed),
        TrafficGan.load,
        lambda: gan_training.train_gan(history, seed, GAN_BUDGET_S, share(0.0, _GAN_SHARE)),
        ModelFileError,
        lambda gan: gan.training,
    )
    trained_vae, vae_path = cached(
        cache,
        Lesson("vae", topology, history, dict(vae.HYPER_PARAMETERS), seed),
        vae.TelemetryVae.load,
        lambda: vae.train_vae(history, seed, VAE_BUDGET_S, share(_GAN_SHARE, 1.0)),
        ModelFileError,
    )
    if progress is not None:
        progress(1.0, "models ready")
    return TrainedModels(trained_gan, trained_vae, gan_path, vae_path)


def cached(
    cache: ModelStore,
    lesson: Lesson,
    load: Callable[[Path], Model],
    train: Callable[[], Model],
    damaged: type[Exception],
    scores: Callable[[Model], Mapping[str, float]] = lambda _: {},
) -> tuple[Model, Path | None]:
    """Return what `load` finds in the cache, else train and save it there, with a record.

    With where it is; None: it cannot be saved. `damaged` is what `load` raises for a file that is
    no model; such a file is replaced.
    """
    path = cache.weights(lesson.name, 1)
    if path.exists():
        try:
            return load(path), path
        except damaged as error:
            _log.warning("%s: trained anew", error)
    begun_s = time.monotonic()
    model = train()
    seconds = time.monotonic() - begun_s
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        model.save(path)
    except OSError as error:
        _log.warning("the weights are not cached, every run will train anew: %s", error)
        return model, None
    try:
        cache.add(
            record_of(
                path,
                name=lesson.name,
                version=1,
                kind=lesson.kind,
                seed=lesson.seed,
                scores=scores(model),
                seconds=seconds,
                history=lesson.history,
                topology=lesson.topology.name,
            )
        )
    except OSError as error:
        _log.warning("%s has no record, `twinbed models` does not show it: %s", path, error)
    return model, path


def cache_key(history: History, hyper_parameters: object, seed: int) -> str:
    """Return a name for what is learned from `history` with these parameters and seed."""
    what = [CODE_VERSION, history_sha256(history), seed, hyper_parameters]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]

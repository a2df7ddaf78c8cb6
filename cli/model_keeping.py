"""What the verbs that train models share: the history, the store, what is said at the end."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from cli.arguments import read_positive, read_seed
from cli.errors import UserError
from cli.output import messages, print_json, results
from cli.progress import RunProgress
from generators.history import History, HistoryError, load_history, read_history
from generators.history.structure import MIN_STEPS
from generators.model_store import ModelStore, ModelStoreError, Record, record_of
from generators.training import Model, Saveable
from topologies.catalogue import load_topology

if TYPE_CHECKING:  # torch takes seconds to import
    from generators.training_loop import Progress

BUDGET_S = 600.0
BUILT_IN = "built-in"


def add_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declare the arguments of every training on a history; `name` is the model's, by default."""
    parser.add_argument("--history", type=Path, metavar="FILE", help="docs/history.md says which")
    parser.add_argument(
        "--topology", metavar="T", help="match the history's nodes with the hosts of this network"
    )
    parser.add_argument(
        "--out", default=name, metavar="NAME", help=f"in the store; default: {name}"
    )
    parser.add_argument("--seed", type=read_seed, metavar="N", help="default: 0")
    parser.add_argument(
        "--budget-s", type=read_positive, default=BUDGET_S, metavar="S", help="at most"
    )
    parser.add_argument("--json", action="store_true", help="print the record as JSON")


@contextmanager
def told_errors() -> Iterator[None]:
    """Turn what keeps a model from being trained or stored into errors for the user."""
    try:
        yield
    except (HistoryError, ModelStoreError) as error:
        raise UserError(str(error)) from error
    except OSError as error:
        where = error.filename or ModelStore().folder
        raise UserError(f"{where}: cannot be written: {error.strerror or error}") from error


def named_history(file: Path | None, network: str | None) -> History:
    """The history that a model is trained on, its gaps filled.

    Raises:
        UserError, HistoryError, DocumentError: it cannot be had.
    """
    topology = load_topology(network) if network is not None else None
    if file is None:
        if topology is None:
            raise UserError("nothing to learn from: give --history FILE, or --topology T")
        from generators.builtin_history import builtin_history

        return builtin_history(topology, seed=0)
    if topology is not None:
        return load_history(file, topology)
    history = read_history(file).filled()
    if history.steps < MIN_STEPS:
        raise HistoryError(f"{file}: {history.steps} matrices: give at least {MIN_STEPS}")
    if not history.matrices_bps.any():
        raise HistoryError(f"{file}: all rates are zero: give a history of traffic")
    return history


def keep(
    model: Saveable, kind: str, arguments: argparse.Namespace, history: History, **more: Any
) -> Record:
    """Store a model as the next version of its name.

    Raises:
        OSError: it cannot be written.
    """
    store = ModelStore()
    version = store.next_version(arguments.out)
    store.folder.mkdir(parents=True, exist_ok=True)
    weights = store.weights(arguments.out, version)
    model.save(weights)
    file = arguments.history
    record = record_of(
        weights,
        name=arguments.out,
        version=version,
        kind=kind,
        history=history,
        source=BUILT_IN if file is None else str(file.resolve()),
        topology=arguments.topology,
        **more,
    )
    store.add(record)
    return record


def train_and_keep(
    arguments: argparse.Namespace,
    kind: str,
    train: Callable[[History, int, Progress], Model],
    scores: Callable[[Model, History, int], Mapping[str, float | None]],
) -> int:
    """The whole verb for a model that is one function of a history and a seed.

    Raises:
        UserError: it cannot be trained or stored.
    """
    seed = arguments.seed or 0
    with told_errors(), RunProgress(messages).shown() as progress:
        version = ModelStore().next_version(arguments.out)  # refuses what is no name
        progress.label(f"train {kind}: {arguments.out}@{version}")
        progress.step("reading the history")
        history = named_history(arguments.history, arguments.topology)
        progress.step(f"training the {kind}")
        begun_s = time.monotonic()
        model = train(history, seed, shown(progress))
        seconds = time.monotonic() - begun_s
        progress.step("judging it")
        judged = scores(model, history, seed)
        record = keep(model, kind, arguments, history, seed=seed, scores=judged, seconds=seconds)
    say(record, as_json=arguments.json)
    return 0


def say(record: Record, *, as_json: bool) -> None:
    """Print what has been trained."""
    if as_json:
        print_json(record)
        return
    results.print(
        f"{escape(record.name)}@{record.version}: {record.seconds:.1f} s, "
        f"{record.peak_memory_mb:.0f} MB",
        highlight=False,
    )
    without: Mapping[str, float] = record.without_privacy or {}
    for name, score in record.scores.items():
        beside = f" (without privacy: {without[name]:.3g})" if name in without else ""
        results.print(f"  {name.replace('_', ' ')}: {score:.3g}{beside}", highlight=False)


def shown(progress: RunProgress) -> Progress:
    """Progress of a training, on the terminal."""
    return lambda fraction, what: progress.step(what, fraction)

"""Train the GAN that makes traffic on a history, and keep it in the model store.

Writes the weights, a record (scores, seed, hash of the history, seconds, memory) and a page that
shows real beside generated traffic. A training that was interrupted goes on with --resume.

--dp-epsilon trains with differential privacy: how pairs and steps depend on each other is private,
for windows of 24 steps; the distribution of each pair's rates is not (docs/models.md).

examples:
  twinbed train gan --history abilene.npz --topology topohub:sndlib/abilene --out abilene
  twinbed train gan --history flows.csv --out office --seed 3 --dp-epsilon 8
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from cli.errors import UserError
from cli.output import messages, print_json, results
from cli.progress import RunProgress
from generators.history import History, HistoryError, load_history, read_history
from generators.history.structure import MIN_STEPS
from generators.model_store import (
    ModelStore,
    ModelStoreError,
    Record,
    history_sha256,
    sha256_of,
)
from topologies.catalogue import load_topology

if TYPE_CHECKING:  # torch takes seconds to import
    from generators.gan import TrafficGan
    from generators.training_loop import Progress

_BUDGET_S = 600.0
_BUILT_IN = "built-in"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--history", type=Path, metavar="FILE", help="docs/history.md says which")
    parser.add_argument(
        "--topology", metavar="T", help="match the history's nodes with the hosts of this network"
    )
    parser.add_argument("--out", default="gan", metavar="NAME", help="in the store; default: gan")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: 0")
    parser.add_argument("--budget-s", type=float, default=_BUDGET_S, metavar="S", help="at most")
    parser.add_argument("--resume", action="store_true", help="go on where one was interrupted")
    parser.add_argument("--dp-epsilon", type=float, metavar="E", help="train with privacy")
    parser.add_argument(
        "--log-dir", type=Path, metavar="DIR", help="losses and score, for TensorBoard"
    )
    parser.add_argument("--json", action="store_true", help="print the record as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Train, and store what came of it."""
    if arguments.seed < 0:
        raise UserError(f"--seed {arguments.seed}: give a number of at least 0")
    if not arguments.budget_s > 0:
        raise UserError(f"--budget-s {arguments.budget_s:g}: give more than 0")
    if arguments.resume and arguments.dp_epsilon is not None:
        raise UserError("--resume: a private training keeps no checkpoint: leave one of them out")
    try:
        record, page = _train(arguments)
    except (HistoryError, ModelStoreError) as error:
        raise UserError(str(error)) from error
    except OSError as error:
        where = error.filename or ModelStore().folder
        raise UserError(f"{where}: cannot be written: {error.strerror or error}") from error
    if arguments.json:
        print_json(record)
    else:
        results.print(
            f"{escape(record.name)}@{record.version}: {record.seconds:.1f} s, "
            f"{record.peak_memory_mb:.0f} MB",
            highlight=False,
        )
        for name, score in record.scores.items():
            results.print(f"  {name.replace('_', ' ')}: {score:.3g}", highlight=False)
        messages.print(f"real beside generated: {page}", highlight=False)
    return 0


def _train(arguments: argparse.Namespace) -> tuple[Record, Path]:
    from generators.fidelity import fidelity
    from results.traffic_page import traffic_page

    store = ModelStore()
    version = store.next_version(arguments.out)
    store.folder.mkdir(parents=True, exist_ok=True)
    with RunProgress(messages).shown() as progress:
        progress.label(f"train gan: {arguments.out}@{version}")
        progress.step("reading the history")
        history = _history(arguments)
        begun_s = time.monotonic()
        with _logging(arguments.log_dir) as log:
            gan = _trained(arguments, history, store, _shown(progress), log)
        seconds = time.monotonic() - begun_s
        progress.step("comparing with the history")
        made = gan.series(history, arguments.seed)
        weights, page = (
            store.weights(arguments.out, version),
            store.page(arguments.out, version),
        )
        gan.save(weights)
        title = f"{arguments.out}@{version}"
        page.write_text(traffic_page(title, history, made), encoding="utf-8")
    scores = {**asdict(fidelity(made.rates_bps, history.rates_bps, history.step_s)), **gan.training}
    record = Record(
        name=arguments.out,
        version=version,
        kind="gan",
        trained_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        hosts=history.hosts,
        step_s=history.step_s,
        history=_BUILT_IN if arguments.history is None else str(arguments.history.resolve()),
        topology=arguments.topology,
        history_steps=history.steps,
        history_sha256=history_sha256(history),
        seed=arguments.seed,
        scores=scores,
        seconds=round(seconds, 2),
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        weights_sha256=sha256_of(weights.read_bytes()),
        dp_epsilon=gan.training.get("epsilon"),
        dp_delta=gan.training.get("delta"),
    )
    store.add(record)
    store.checkpoint(arguments.out).unlink(missing_ok=True)
    return record, page


def _history(arguments: argparse.Namespace) -> History:
    return named_history(arguments.history, arguments.topology)


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


def _trained(
    arguments: argparse.Namespace,
    history: History,
    store: ModelStore,
    progress: Progress,
    log: Callable[[str, float, int], None] | None,
) -> TrafficGan:
    from generators.gan_training import Resumption, train_gan
    from generators.model_files import ModelFileError

    if arguments.dp_epsilon is not None:
        from generators.gan_private import train_private_gan

        try:
            return train_private_gan(
                history, arguments.seed, arguments.budget_s, arguments.dp_epsilon, progress, log
            )[0]
        except ValueError as error:
            raise UserError(f"--dp-epsilon: {error}") from error
    resumption = Resumption(store.checkpoint(arguments.out), arguments.resume)
    try:
        return train_gan(history, arguments.seed, arguments.budget_s, progress, log, resumption)
    except ModelFileError as error:
        raise UserError(f"--resume: {error}") from error


def _shown(progress: RunProgress) -> Progress:
    return lambda fraction, what: progress.step(what, fraction)


@contextmanager
def _logging(folder: Path | None) -> Iterator[Callable[[str, float, int], None] | None]:
    if folder is None:
        yield None
        return
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder))
    try:
        yield writer.add_scalar
    finally:
        writer.close()

"""Train the GAN that makes traffic on a history, and keep it in the model store.

Writes the weights, a record (scores, seed, hash of the history, seconds, memory) and a page that
shows real beside generated traffic. A training that was interrupted goes on with --resume.

--dp-epsilon trains with differential privacy: how pairs and steps depend on each other is private,
for windows of 24 steps; the distribution of each pair's rates is not (docs/models.md). Its seed is
a secret, which nobody gets to know unless you give one, and is not recorded; what the privacy costs
is: the scores of the fit without it, with which a training begins that need not be private.

examples:
  twinbed train gan --history abilene.npz --topology topohub:sndlib/abilene --out abilene
  twinbed train gan --history flows.csv --out office --seed 3 --dp-epsilon 8
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.errors import UserError
from cli.model_keeping import add_arguments as add_common_arguments
from cli.model_keeping import keep, named_history, say, shown, told_errors
from cli.output import messages
from cli.progress import RunProgress
from generators.history import History
from generators.model_store import ModelStore, Record

if TYPE_CHECKING:  # torch takes seconds to import
    from generators.gan import TrafficGan
    from generators.training_loop import Progress

Log = Callable[[str, float, int], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_common_arguments(parser, "gan")
    parser.add_argument("--resume", action="store_true", help="go on where one was interrupted")
    parser.add_argument("--dp-epsilon", type=float, metavar="E", help="train with privacy")
    parser.add_argument(
        "--log-dir", type=Path, metavar="DIR", help="losses and score, for TensorBoard"
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, and store what came of it."""
    if arguments.resume and arguments.dp_epsilon is not None:
        raise UserError("--resume: a private training keeps no checkpoint: leave one of them out")
    with told_errors():
        record = _train(arguments)
    say(record, as_json=arguments.json)
    if not arguments.json:
        page = ModelStore().page(record.name, record.version)
        messages.print(f"real beside generated: {page}", highlight=False)
    return 0


def _train(arguments: argparse.Namespace) -> Record:
    from results.traffic_page import traffic_page

    is_private = arguments.dp_epsilon is not None
    seed = None if is_private else arguments.seed or 0
    store = ModelStore()
    version = store.next_version(arguments.out)
    store.folder.mkdir(parents=True, exist_ok=True)
    with RunProgress(messages).shown() as progress:
        progress.label(f"train gan: {arguments.out}@{version}")
        progress.step("reading the history")
        history = named_history(arguments.history, arguments.topology)
        with _logging(arguments.log_dir) as log:
            gan, seconds = _trained(arguments, history, store, shown(progress), log)
        progress.step("comparing with the history")
        made = gan.series(history, seed or 0)
        record = keep(
            gan,
            "gan",
            arguments,
            history,
            seed=seed,
            scores={**_scores(made, history), **gan.training},
            seconds=seconds,
            dp_epsilon=gan.training.get("epsilon"),
            dp_delta=gan.training.get("delta"),
            without_privacy=_without_privacy(history) if is_private else None,
        )
        title = f"{record.name}@{record.version}"
        page = store.page(record.name, record.version)
        page.write_text(traffic_page(title, history, made), encoding="utf-8")
    if not is_private:  # it has none; one that is there is that of another training
        store.checkpoint(arguments.out).unlink(missing_ok=True)
    return record


def _scores(made: History, history: History) -> dict[str, float]:
    from generators.fidelity import fidelity

    return asdict(fidelity(made.rates_bps, history.rates_bps, history.step_s))


def _without_privacy(history: History) -> dict[str, float]:
    from generators.gan_material import untrained_gan

    return _scores(untrained_gan(history, 0).series(history, 0), history)


def _trained(
    arguments: argparse.Namespace,
    history: History,
    store: ModelStore,
    progress: Progress,
    log: Log | None,
) -> tuple[TrafficGan, float]:
    """The GAN, and how many seconds its training took, those before an interruption included."""
    train = _with_checkpoints if arguments.dp_epsilon is None else _privately
    begun_s = time.monotonic()
    gan, before_s = train(arguments, history, store.checkpoint(arguments.out), progress, log)
    return gan, before_s + time.monotonic() - begun_s


def _privately(
    arguments: argparse.Namespace, history: History, _: Path, progress: Progress, log: Log | None
) -> tuple[TrafficGan, float]:
    from generators.gan_private import train_private_gan

    try:
        gan, _spent = train_private_gan(
            history, arguments.seed, arguments.budget_s, arguments.dp_epsilon, progress, log
        )
    except ValueError as error:
        raise UserError(f"--dp-epsilon: {error}") from error
    return gan, 0.0


def _with_checkpoints(
    arguments: argparse.Namespace,
    history: History,
    checkpoint: Path,
    progress: Progress,
    log: Log | None,
) -> tuple[TrafficGan, float]:
    from generators.gan_training import Resumption, seconds_until, train_gan
    from generators.model_files import ModelFileError

    resumption = Resumption(checkpoint, arguments.resume)
    try:
        before_s = seconds_until(checkpoint) if arguments.resume else 0.0
        gan = train_gan(history, arguments.seed or 0, arguments.budget_s, progress, log, resumption)
    except ModelFileError as error:
        raise UserError(f"--resume: {error}") from error
    return gan, before_s


@contextmanager
def _logging(folder: Path | None) -> Iterator[Log | None]:
    if folder is None:
        yield None
        return
    from torch.utils.tensorboard import SummaryWriter

    writer: Any = SummaryWriter(str(folder))
    try:
        yield writer.add_scalar
    finally:
        writer.close()

"""Train the policy `twin-rl` in the twin's model, on random networks or on one of yours.

The weights go to a file; TWINBED_RL_WEIGHTS names it to `twinbed run --policy twin-rl`, which takes
those that come with Twinbed otherwise. The same seed and updates give the same weights. The model
store keeps them too, as the next version of twin-rl.

examples:
  twinbed train twin-rl --out my-weights.pt --seed 3
  TWINBED_RL_WEIGHTS=my-weights.pt twinbed run high-load --policy twin-rl
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from rich.markup import escape

from cli.arguments import read_seed, read_whole
from cli.errors import UserError
from cli.output import messages, print_json, results
from cli.progress import RunProgress
from generators.model_store import ModelStore, ModelStoreError, record_of
from topologies.catalogue import load_topology
from topologies.model import Topology
from twin.learned_policy import WEIGHTS

_NAME = "twin-rl"
_UPDATES = 50
_JUDGED_UPDATES = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what can be chosen."""
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="for the weights")
    parser.add_argument(
        "--topology", metavar="T", help="train on this network (default: random networks)"
    )
    parser.add_argument("--seed", type=read_seed, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--updates", type=read_whole(1), default=_UPDATES, metavar="N", help=f"default: {_UPDATES}"
    )
    parser.add_argument("--json", action="store_true", help="print the course as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Train, and write the weights."""
    if not arguments.out.parent.is_dir():
        raise UserError(f"--out {arguments.out}: there is no folder {arguments.out.parent}")
    with RunProgress(messages).shown() as progress:
        progress.label("train twin-rl")
        from twin.envs import some_network
        from twin.reinforcement import train_policy

        network: Callable[[np.random.Generator], Topology] = some_network
        if arguments.topology is not None:
            chosen = load_topology(arguments.topology)
            network = lambda _: chosen  # noqa: E731
        begun_s = time.monotonic()
        learner, rewards = train_policy(
            arguments.seed,
            arguments.updates,
            lambda done, what: progress.step(what, done),
            network,
        )
        seconds = time.monotonic() - begun_s
    try:
        learner.save(arguments.out)
    except OSError as error:
        raise UserError(f"--out {arguments.out}: cannot be written: {error}") from error
    scores = {
        "first_reward": float(np.mean(rewards[:_JUDGED_UPDATES])),
        "last_reward": float(np.mean(rewards[-_JUDGED_UPDATES:])),
    }
    _keep(arguments, scores, seconds)
    if arguments.json:
        print_json({"weights": str(arguments.out), "seconds": seconds, "rewards": rewards})
    else:
        results.print(
            "reward of a step: {first_reward:.3f} at first, {last_reward:.3f} at last".format(
                **scores
            ),
            highlight=False,
        )
        results.print(
            f"{WEIGHTS}={escape(str(arguments.out))} twinbed run ... --policy twin-rl",
            highlight=False,
        )
    return 0


def _keep(arguments: argparse.Namespace, scores: Mapping[str, float], seconds: float) -> None:
    """Keep the weights in the model store."""
    store = ModelStore()
    try:
        version = store.next_version(_NAME)
        store.folder.mkdir(parents=True, exist_ok=True)
        weights = store.weights(_NAME, version)
        weights.write_bytes(arguments.out.read_bytes())
        record = record_of(
            weights,
            name=_NAME,
            version=version,
            kind=_NAME,
            seed=arguments.seed,
            scores=scores,
            seconds=seconds,
            topology=arguments.topology,
        )
        store.add(record)
    except ModelStoreError as error:
        raise UserError(str(error)) from error
    except OSError as error:
        raise UserError(f"{store.folder}: cannot be written: {error.strerror or error}") from error

"""Train a model on this machine: the GAN that makes traffic, or the policy that learns in the twin.

examples:
  twinbed train gan --history abilene.npz --topology topohub:sndlib/abilene --out abilene
  twinbed train twin-rl --out my-weights.pt --seed 3
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from types import ModuleType

from cli import train_gan, train_policy

_MODELS: Mapping[str, ModuleType] = {"gan": train_gan, "twin-rl": train_policy}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments, those of each model apart."""
    models = parser.add_subparsers(dest="model", metavar="gan|twin-rl", required=True)
    for name, module in _MODELS.items():
        meaning = str(module.__doc__)
        of_model = models.add_parser(
            name,
            help=meaning.splitlines()[0].rstrip("."),
            description=meaning,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(of_model)


def run(arguments: argparse.Namespace) -> int:
    """Train; the exit code."""
    return int(_MODELS[arguments.model].run(arguments))

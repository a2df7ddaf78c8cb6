"""Train a model on this machine; `twinbed models` lists what has been trained.

The GAN makes traffic, the VAE fills gaps in telemetry, forecaster and policy are the twin's.

examples:
  twinbed train gan --history abilene.npz --topology topohub:sndlib/abilene --out abilene
  twinbed train vae --history abilene.npz --topology topohub:sndlib/abilene --out abilene-vae
  twinbed train twin-rl --out my-weights.pt --seed 3
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from types import ModuleType

from cli import train_forecaster, train_gan, train_policy, train_vae

_MODELS: Mapping[str, ModuleType] = {
    "gan": train_gan,
    "vae": train_vae,
    "forecaster": train_forecaster,
    "twin-rl": train_policy,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments, those of each model apart."""
    models = parser.add_subparsers(dest="model", metavar="|".join(_MODELS), required=True)
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

"""`python -m twin`: mirror the network of a run directory, predict, decide, record."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from topologies.model import Topology
from twin.forecaster import Forecaster, ForecasterError, PersistenceForecaster
from twin.imputation import Imputer, Persistence
from twin.indexing import Indexing
from twin.late_models import LateModels
from twin.policies import UnknownPolicyError, resolve
from twin.process import Feed, StopSignal, run, whole
from twin.residual import Residual, ResidualError
from twin.telemetry_loss import LossyFeed, TelemetryLoss
from twin.twin import Twin


class _StartError(Exception):
    """What keeps the twin from starting, for people."""


def main() -> int:
    """Run the twin until it is told to stop. 0: stopped, 1: failed, 2: wrong arguments."""
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.INFO)
    arguments = _parse()
    directory: Path = arguments.run_dir
    try:
        twin, models, feed = _build(arguments)
        socket, journal = directory / "northbound.sock", directory / "twin.jsonl"
        run(twin, models, socket, journal, StopSignal(), feed)
    except (_StartError, UnknownPolicyError, ForecasterError, ResidualError) as error:
        print(f"twin: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except (OSError, msgspec.DecodeError) as error:
        print(f"twin: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="twin", description=__doc__)
    parser.add_argument("--run-dir", type=Path, required=True, help="has topology.json")
    parser.add_argument("--policy", required=True, help="a shipped name, or module:Class")
    parser.add_argument(
        "--interval-s", type=float, required=True, help="length of a step of the traffic"
    )
    parser.add_argument("--weights", type=Path, help="of the forecaster; else persistence")
    parser.add_argument(
        "--imputer", help="module:factory or module:factory=argument; else persistence"
    )
    parser.add_argument("--calibration", type=Path, help="of the performance model; else theory")
    parser.add_argument(
        "--telemetry-loss", help="what the twin is not told, in JSON: twin.telemetry_loss"
    )
    return parser.parse_args()


def _build(arguments: argparse.Namespace) -> tuple[Twin, LateModels, Feed]:
    if arguments.interval_s <= 0:
        raise _StartError(f"--interval-s {arguments.interval_s} is not positive")
    topology = _read_topology(arguments.run_dir / "topology.json")
    residual = Residual.load(arguments.calibration) if arguments.calibration else None
    policy = resolve(arguments.policy)
    models = LateModels(partial(_load, arguments, topology), len(topology.od_pairs))
    twin = Twin(topology, policy, models, models, arguments.interval_s, residual)
    return twin, models, _feed(arguments.telemetry_loss, topology)


def _feed(loss: str | None, topology: Topology) -> Feed:
    if loss is None:
        return whole
    try:
        return LossyFeed(topology, msgspec.json.decode(loss, type=TelemetryLoss))
    except msgspec.DecodeError as error:
        raise _StartError(f"--telemetry-loss {loss}: {error}") from error


def _load(arguments: argparse.Namespace, topology: Topology) -> tuple[Forecaster, Imputer]:
    pairs = len(topology.od_pairs)
    forecaster: Forecaster = PersistenceForecaster()
    if arguments.weights is not None:
        import torch

        from twin.forecast import LearnedForecaster

        torch.set_num_threads(1)
        forecaster = LearnedForecaster.load(arguments.weights, pairs)
    imputer: Imputer = Persistence(pairs)
    if arguments.imputer:
        imputer = _load_imputer(arguments.imputer, Indexing(topology))
    return forecaster, imputer


def _read_topology(path: Path) -> Topology:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Topology)
    except (OSError, msgspec.DecodeError) as error:
        raise _StartError(f"cannot read the topology {path}: {error}") from error


def _load_imputer(reference: str, indexing: Indexing) -> Imputer:
    """Call `module:factory` with the argument after `=`, if any, and try what comes."""
    target, _, argument = reference.partition("=")
    module_name, _, factory_name = target.partition(":")
    try:
        factory = importlib.import_module(module_name)
        for part in factory_name.split("."):
            factory = getattr(factory, part)
        imputer: Imputer = factory(argument) if argument else factory()  # type: ignore[operator]
        links, pairs = len(indexing.directions), len(indexing.pairs)
        trial = np.ones(pairs), np.ones((1, pairs)), np.ones(links), np.ones((links, pairs))
        imputer.impute(*trial)
        imputer.suspects(*trial)
    except Exception as error:
        raise _StartError(f"imputer {reference!r} cannot be loaded: {error}") from error
    return imputer


if __name__ == "__main__":
    sys.exit(main())

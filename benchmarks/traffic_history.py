"""The traffic history that a model is trained and measured on, as the command line names it."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli.arguments import read_seed
from generators.builtin_history import builtin_history
from generators.history import History, load_history
from topologies.catalogue import load_topology
from topologies.model import Topology

TRAINING_SHARE = 0.75


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what names the history."""
    parser.add_argument(
        "topology",
        nargs="?",
        default="topohub:sndlib/abilene",
        metavar="TOPOLOGY",
        help="default: topohub:sndlib/abilene",
    )
    parser.add_argument(
        "--history",
        type=Path,
        metavar="FILE",
        help="a traffic history (docs/history.md) of that network; default: the built-in history",
    )
    parser.add_argument("--seed", type=read_seed, default=0, metavar="N", help="default: 0")


def network(arguments: argparse.Namespace) -> Topology:
    """The network that was named.

    Raises:
        DocumentError: there is no such network.
    """
    return load_topology(arguments.topology)


def chosen(
    arguments: argparse.Namespace, training_share: float = TRAINING_SHARE
) -> tuple[History, History]:
    """The history that was named, parted in time: what to train on, and what to measure against.

    Raises:
        DocumentError, HistoryError: there is no such network, or no such history.
    """
    return whole(arguments).split(training_share)


def whole(arguments: argparse.Namespace) -> History:
    """The history that was named.

    Raises:
        DocumentError, HistoryError: there is no such network, or no such history.
    """
    topology = network(arguments)
    if arguments.history is None:
        return builtin_history(topology, arguments.seed)
    return load_history(arguments.history, topology)

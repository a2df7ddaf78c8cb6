"""How many what-if questions the twin's model answers in a second, on one core.

A question is a traffic matrix, a routing and a failure: the routes that the failure leaves are
found, and load, delay and loss of every link and pair predicted. A second is one of processor
time, of all threads together. Every failure of one link or
switch, under two routings (shortest by delay and by hops), for matrices that load the busiest link
to a half, to the full and to twice its rate. Finding the routes is part of the time; so is
everything else but the first imports.
"""

from __future__ import annotations

import argparse
import time
from typing import Any, get_args

import numpy as np

from benchmarks.report import Report, Step, this_machine
from cli.arguments import read_whole
from testbed.reference.targets import Target, at_least
from topologies.catalogue import load_topology
from topologies.model import Topology
from topologies.paths import Weight, shortest_paths
from twin.indexing import FloatArray, Indexing
from twin.model import PerformanceModel
from twin.routed_pairs import RoutedPairs
from twin.situation import Situation, after, all_failures

_GOAL_PER_S = 10_000
_LOADS = (0.5, 1.0, 2.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    parser.add_argument(
        "--topology",
        default="topohub:sndlib/abilene",
        metavar="NAME",
        help="default: topohub:sndlib/abilene",
    )
    parser.add_argument(
        "--matrices",
        type=read_whole(1),
        default=200,
        metavar="N",
        help="for each load; default: 200",
    )


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Ask them all.

    Raises:
        DocumentError: there is no such network.
    """
    topology = load_topology(arguments.topology)
    machine = this_machine()
    rows: list[dict[str, Any]] = []
    targets: list[Target] = []
    for number, load in enumerate(_LOADS):
        step(f"busiest link at {load:g} of its rate", number / len(_LOADS))
        questions, seconds = _ask(topology, _matrices(topology, load, arguments.matrices))
        name = f"busiest link at {load:g}: evaluations a second"
        rows.append(
            {"what": name, "figures": {"questions": questions, "processor seconds": seconds}}
        )
        targets.append(at_least(name, _GOAL_PER_S, questions / seconds))
    return Report("whatif", machine, rows, targets)


def _matrices(topology: Topology, load: float, number: int) -> FloatArray:
    """(matrices, pairs) that load the busiest link so much under shortest paths, without loss."""
    indexing = Indexing(topology)
    random = np.random.default_rng(0)
    od_bps = random.exponential(1.0, (number, len(indexing.pairs)))
    routed = RoutedPairs(indexing, shortest_paths(topology))
    lossless = np.zeros((number, len(indexing.directions)))
    utilisation = routed.loads(od_bps, lossless) / indexing.rate_bps
    busiest = utilisation[:, : indexing.cores].max(axis=1)
    return np.asarray(od_bps * (load / busiest)[:, None])


def _ask(topology: Topology, od_bps: FloatArray) -> tuple[int, float]:
    """How many questions were answered, and the processor time that it took."""
    asked = 0
    start_s = time.process_time()
    for weight in get_args(Weight):
        now = Situation(topology, weight, shortest_paths(topology, weight), od_bps[0])
        for failure in all_failures(topology, 1):
            then = after(now, failure)
            indexing = Indexing(then.topology)
            routed = RoutedPairs(indexing, then.routing)
            asked += len(PerformanceModel(indexing).predict_all(routed, od_bps).max_utilisation)
    return asked, time.process_time() - start_s

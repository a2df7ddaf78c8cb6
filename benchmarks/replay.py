"""How near a replayed schedule comes to what was asked for: ours beside three other ways.

A stretch of the history, one matrix a step, scaled to a mean total, is replayed in one lab, one way
after the other: by the replay of every run, by a client of iperf 2 or of iperf 3 for every pair and
step, started as the step begins, and by MGEN, whose flows change their rates. The links are wide,
so that whatever is missing has not been sent. WAPE is of the rates at the hosts' ports, step by
step; a gap is the largest hole among a pair's packets around a step, beyond their own distance;
the lag is where asked and sent rates correlate best. MGEN and iperf 3 are measured where they are
installed: apt-get install mgen iperf3.

--generated replays in our way what a GAN makes of the earlier part of the history, and judges it
before and after the wire (`replay_scores.py`). --tcp-percent makes whole pairs TCP, in our way
alone; acknowledgements are left out of the pairs' rates, not of the ports'.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks import traffic_history
from benchmarks.replay_figures import Figures, figures, pair_rates_bps, port_rates_bps
from benchmarks.replay_lab import Played, Request, measure, seen
from benchmarks.replay_scores import STEPS, made_traffic, scored
from benchmarks.replay_ways import CONTENDERS
from benchmarks.report import Report, Step, this_machine
from cli.arguments import read_positive, read_whole
from generators.history import History
from generators.sampling import choose_tcp_pairs
from generators.schedule import FloatArray, Schedule
from testbed.capabilities import probe
from testbed.links.probing import choose_backend
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import Target, at_most
from testbed.sandbox import probe_sandbox
from topologies.catalogue import with_core_shape

OURS = "ours"
_MOST_WAPE_PERCENT, _MOST_GAP_MS = 3.0, 50.0
_WIDE_BPS = 1e9
_STEPS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    traffic_history.add_arguments(parser)
    parser.add_argument(
        "--steps",
        type=read_whole(2),
        metavar="N",
        help=f"default: {_STEPS}; {STEPS} with --generated",
    )
    parser.add_argument("--step-s", type=read_positive, default=2.0, metavar="S", help="default: 2")
    parser.add_argument(
        "--mbps",
        type=read_positive,
        default=60.0,
        metavar="R",
        help="of all pairs together; default: 60",
    )
    parser.add_argument(
        "--only", nargs="+", choices=CONTENDERS, metavar="WAY", help=", ".join(CONTENDERS)
    )
    parser.add_argument(
        "--generated", action="store_true", help="replay and score what a GAN makes, in our way"
    )
    parser.add_argument(
        "--tcp-percent",
        type=_percent,
        default=0.0,
        metavar="P",
        help="of the traffic by TCP, in our way; default: 0",
    )


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Replay and compare.

    Raises:
        DocumentError, HistoryError: there is no such network, or no such history.
        MeasurementError: the history is too short, or the lab died.
        SandboxUnavailableError, LinkError: this machine cannot carry a lab.
    """
    training, held_out = (part.filled() for part in traffic_history.chosen(arguments))
    topology = with_core_shape(traffic_history.network(arguments), rate_bps=_WIDE_BPS)
    backend = choose_backend(probe())
    machine = this_machine(backend)
    is_ours_alone = arguments.generated or arguments.tcp_percent > 0
    wanted = arguments.only or ([OURS] if is_ours_alone else list(CONTENDERS))
    if is_ours_alone and wanted != [OURS]:
        raise MeasurementError("--generated, --tcp-percent: only our way is replayed: --only ours")
    missing = [way for way in wanted if shutil.which(CONTENDERS[way].program) is None]
    ways = tuple(way for way in wanted if way not in missing)
    first, steps = stretch(held_out, arguments)
    traffic = None
    matrices_bps = held_out.matrices_bps[first : first + steps]
    if arguments.generated:
        traffic = made_traffic(
            training, held_out, first, steps, arguments.seed, lambda done, what: step(what, done)
        )
        matrices_bps = traffic.made_bps
    schedule, scale = scaled(held_out.hosts, matrices_bps, arguments)
    with tempfile.TemporaryDirectory() as folder:
        schedule.save(Path(folder) / "schedule.npz")
        request = Request(topology, backend, f"{folder}/schedule.npz", ways, folder)
        step(f"replaying {schedule.duration_s:g} s in {len(ways)} ways", None)
        played = measure(probe_sandbox(), request)
        seen_of = {way: seen(request, way) for way in played}
        found = {
            way: figures(topology, schedule, seen_of[way], one.start_s, one.cpu_s)
            for way, one in played.items()
        }
    rows = [*_rows(played, found), *(_absent(way) for way in missing)]
    if traffic is not None and OURS in played:
        arrived_bps = pair_rates_bps(schedule, seen_of[OURS], played[OURS].start_s)
        rows += scored(traffic, scale, arrived_bps, port_rates_bps(schedule, seen_of[OURS]))
    columns = {way: dict(_shown(one)) for way, one in found.items()}
    beside = {way: column for way, column in columns.items() if way != OURS}
    return Report("replay", machine, rows, _targets(columns.get(OURS, {})), beside)


def stretch(history: History, arguments: argparse.Namespace) -> tuple[int, int]:
    """The first one of the matrices to replay, which the seed chooses, and how many they are.

    Raises:
        MeasurementError: there are not so many.
    """
    steps = arguments.steps or (STEPS if arguments.generated else _STEPS)
    spare = history.steps - steps
    if steps < 2 or spare < 0:
        raise MeasurementError(f"--steps: give 2 to {history.steps}, of this history")
    return int(np.random.default_rng(arguments.seed).integers(spare + 1)), steps


def scaled(
    hosts: tuple[str, ...], matrices_bps: FloatArray, arguments: argparse.Namespace
) -> tuple[Schedule, float]:
    """A schedule of these matrices, scaled to the mean total, and by how much they are scaled."""
    scale = 1e6 * arguments.mbps * len(matrices_bps) / matrices_bps.sum()
    scaled_bps = matrices_bps * scale
    tcp_pairs = choose_tcp_pairs(
        hosts, scaled_bps.mean(axis=0), arguments.tcp_percent, arguments.seed
    )
    return Schedule(hosts, arguments.step_s, scaled_bps, tcp_pairs=tcp_pairs), scale


def _rows(played: Mapping[str, Played], found: Mapping[str, Figures]) -> list[dict[str, Any]]:
    return [
        {
            "what": way,
            "figures": msgspec.to_builtins(found[way]),
            **({"failed": one.problem} if one.problem else {}),
        }
        for way, one in played.items()
    ]


def _absent(way: str) -> dict[str, Any]:
    return {"what": way, "failed": f"not here: apt-get install {CONTENDERS[way].package}"}


def _shown(one: Figures) -> list[tuple[str, float | None]]:
    """Figures by the names of targets."""
    _, p99_ms, most_ms = one.gap_ms
    return [
        ("WAPE at the ports", one.wape_percent),
        ("WAPE of the pairs", one.pair_wape_percent),
        ("gap at a step, p99", p99_ms),
        ("gap at a step, longest", most_ms),
        ("lag", one.lag_ms),
        ("processor time", one.cpu_percent),
    ]


def _targets(ours: Mapping[str, float | None]) -> list[Target]:
    return [
        at_most("WAPE at the ports", _MOST_WAPE_PERCENT, ours.get("WAPE at the ports"), "%"),
        at_most("WAPE of the pairs", _MOST_WAPE_PERCENT, ours.get("WAPE of the pairs"), "%"),
        at_most("gap at a step, p99", _MOST_GAP_MS, ours.get("gap at a step, p99"), "ms"),
        at_most("gap at a step, longest", _MOST_GAP_MS, ours.get("gap at a step, longest"), "ms"),
    ]


def _percent(word: str) -> float:
    value = float(word)
    if not 0 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{word}: give 0 to 100")
    return value

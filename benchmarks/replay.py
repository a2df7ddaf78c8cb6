"""How near a replayed schedule comes to what was asked for: ours beside three other ways.

A stretch of the history, one matrix a step, scaled to a mean total, is replayed in one lab, one way
after the other: by the replay of every run, by a client of iperf 2 or of iperf 3 for every pair and
step, started as the step begins, and by MGEN, whose flows change their rates. The links are wide,
so that whatever is missing has not been sent. WAPE is of the rates at the hosts' ports, step by
step; a gap is the largest hole among a pair's packets around a step, beyond their own distance;
the lag is where asked and sent rates correlate best. MGEN and iperf 3 are measured where they are
installed: apt-get install mgen iperf3.
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
from benchmarks.replay_figures import Figures, figures, pair_rates_bps
from benchmarks.replay_lab import Played, Request, measure, seen
from benchmarks.replay_ways import CONTENDERS
from benchmarks.report import Report, Step, this_machine
from generators.fidelity import fidelity
from generators.history import History, pair_mask
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    traffic_history.add_arguments(parser)
    parser.add_argument("--steps", type=int, default=10, metavar="N", help="default: 10")
    parser.add_argument("--step-s", type=float, default=2.0, metavar="S", help="default: 2")
    parser.add_argument(
        "--mbps", type=float, default=60.0, metavar="R", help="of all pairs together; default: 60"
    )
    parser.add_argument(
        "--only", nargs="+", choices=CONTENDERS, metavar="WAY", help=", ".join(CONTENDERS)
    )


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Replay and compare.

    Raises:
        DocumentError, HistoryError: there is no such network, or no such history.
        MeasurementError: the history is too short, or the lab died.
        SandboxUnavailableError, LinkError: this machine cannot carry a lab.
    """
    held_out = traffic_history.chosen(arguments)[1].filled()
    topology = with_core_shape(traffic_history.network(arguments), rate_bps=_WIDE_BPS)
    backend = choose_backend(probe())
    machine = this_machine(backend)
    wanted = arguments.only or list(CONTENDERS)
    missing = [way for way in wanted if shutil.which(CONTENDERS[way].program) is None]
    ways = tuple(way for way in wanted if way not in missing)
    schedule, scale = excerpt(held_out, arguments)
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
    matrices = {"requested": schedule.matrices_bps} | {
        f"{way}, on the wire": pair_rates_bps(schedule, seen_of[way], one.start_s)
        for way, one in played.items()
    }
    rows = [
        *_rows(played, found),
        *(_scored(what, rates, scale, held_out) for what, rates in matrices.items()),
        *(_absent(way) for way in missing),
    ]
    columns = {way: dict(_shown(one)) for way, one in found.items()}
    beside = {way: column for way, column in columns.items() if way != OURS}
    return Report("replay", machine, rows, _targets(columns.get(OURS, {})), beside)


def excerpt(history: History, arguments: argparse.Namespace) -> tuple[Schedule, float]:
    """As many matrices in a row as there are steps, from an instant that the seed chooses.

    With how many times those of the history they are.

    Raises:
        MeasurementError: there are not so many.
    """
    spare = history.steps - arguments.steps
    if arguments.steps < 2 or spare < 0:
        raise MeasurementError(f"--steps: give 2 to {history.steps}, of this history")
    first = int(np.random.default_rng(arguments.seed).integers(spare + 1))
    matrices_bps = history.matrices_bps[first : first + arguments.steps]
    scale = 1e6 * arguments.mbps * arguments.steps / matrices_bps.sum()
    return Schedule(history.hosts, arguments.step_s, matrices_bps * scale), scale


def _rows(played: Mapping[str, Played], found: Mapping[str, Figures]) -> list[dict[str, Any]]:
    return [
        {
            "what": way,
            "figures": msgspec.to_builtins(found[way]),
            **({"failed": one.problem} if one.problem else {}),
        }
        for way, one in played.items()
    ]


def _scored(what: str, matrices_bps: FloatArray, scale: float, held_out: History) -> dict[str, Any]:
    """The generator's scores of one window, against the history that it is from."""
    rates_bps = matrices_bps[:, pair_mask(len(held_out.hosts))]
    quality = fidelity(rates_bps, scale * held_out.rates_bps, held_out.step_s)
    return {"what": f"generator's scores, {what}", "figures": vars(quality)}


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

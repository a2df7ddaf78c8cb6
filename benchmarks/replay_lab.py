"""One lab in which a schedule is replayed in several ways, one after the other, and watched.

`python -m benchmarks.replay_lab`, inside a sandbox, reads a `Request` and prints `Played` as one
line of JSON; what was seen of each way lies in the request's folder.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.in_sandbox import ask, serve
from benchmarks.replay_ways import CONTENDERS
from benchmarks.wire_watch import Seen, Watch
from generators.schedule import Schedule
from testbed import openvswitch
from testbed.links.probing import open_backend
from testbed.network import Network
from testbed.reference.errors import MeasurementError
from testbed.sandbox import Sandbox
from testbed.static_routes import install_routes
from topologies.model import Topology
from topologies.paths import shortest_paths

_LEAD_S = 2.5
_UNDER_WAY_S = 0.5
_PAUSE_S = 1.0


class Request(msgspec.Struct, frozen=True):
    """What is replayed where and how."""

    topology: Topology
    backend: str
    schedule: str
    ways: tuple[str, ...]
    """Of `CONTENDERS`."""
    folder: str


class Played(msgspec.Struct, frozen=True):
    """One way, carried out."""

    start_s: float
    """CLOCK_MONOTONIC."""
    cpu_s: float
    """Of the processors, for all its processes, receivers included, from their start on."""
    problem: str = ""


def measure(sandbox_: Sandbox, request: Request) -> dict[str, Played]:
    """Run the lab in a sandbox; for what was seen, ask `seen`.

    Raises:
        MeasurementError: the lab could not be built, or died.
    """
    return ask(sandbox_, "benchmarks.replay_lab", request, dict[str, Played])


def seen(request: Request, way: str) -> Seen:
    """What arrived when it was played this way."""
    with np.load(_file(request, way)) as arrays:
        return Seen(**arrays)


def _file(request: Request, way: str) -> Path:
    return Path(request.folder) / f"{way}.npz"


def _inside(request: Request, folder: Path) -> dict[str, Played]:
    openvswitch.start(folder)
    network = Network(request.topology, open_backend(request.backend, folder))
    install_routes(network, shortest_paths(request.topology))
    schedule = Schedule.load(Path(request.schedule))
    return {way: _play(network, schedule, way, request, folder) for way in request.ways}


def _play(network: Network, schedule: Schedule, way: str, request: Request, folder: Path) -> Played:
    time.sleep(_PAUSE_S)  # the last one's packets and processes are gone
    before_s = _cpu_s()
    player = CONTENDERS[way].way(network, schedule, folder)
    problem = ""
    try:
        player.prepare()
    except MeasurementError as error:  # the others go on
        problem = str(error)
    start_s = time.monotonic() + _LEAD_S
    edges_s = [start_s + step * schedule.interval_s for step in range(schedule.steps + 1)]
    watch = Watch(network, edges_s, folder)
    try:
        if not problem:
            player.play(start_s)
    except MeasurementError as error:
        problem = str(error)
    cpu_s = _cpu_s() - before_s
    time.sleep(max(0.0, edges_s[-1] + _UNDER_WAY_S - time.monotonic()))
    arrays = vars(watch.end())
    np.savez(_file(request, way), **arrays)
    return Played(start_s, cpu_s, problem)


def _cpu_s() -> float:
    """Of this process, and of those that it has started and that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    serve(Request, _inside)

"""How long it takes until all routes of a network stand in its switches.

`python -m benchmarks.table_installation`, inside a sandbox, reads a `Request` and prints
`Installations` as one line of JSON. The controller begins with nothing, the switches are empty
and connect all at once; what is counted ends with the last barrier's confirmation.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import bare_switches
from benchmarks.barrier_each import install_one_by_one
from benchmarks.controlled_lab import await_ready
from benchmarks.in_sandbox import ask, serve
from benchmarks.intervals import percentile_interval
from benchmarks.parts import Part, Verdict
from controller.messages import DatapathState, FromController, Ready
from controller.northbound_client import connect
from testbed import openvswitch
from testbed.reference.targets import at_most
from testbed.sandbox import Sandbox
from topologies.catalogue import load_topology
from topologies.model import Topology

_SMALL = "topohub:sndlib/abilene"
_TIMES = 7
_PATIENCE_S = 120.0

_decoder: msgspec.json.Decoder[FromController] = msgspec.json.Decoder(FromController)


class Request(msgspec.Struct, frozen=True):
    """All routes of what, and how often."""

    topology: Topology
    times: int


class Installation(msgspec.Struct, frozen=True):
    """One start of the controller."""

    from_first_s: float
    """Since the first switch has connected."""
    from_last_s: float
    """Since all switches have."""


class Installations(msgspec.Struct, frozen=True):
    """What was measured."""

    switches: int
    routes: int
    entries: int
    """Of the routes, in all switches together."""
    installations: tuple[Installation, ...]
    barrier_each_s: float
    """The same entries, with a barrier awaited after each; all switches at once."""


def measure(sandbox_: Sandbox, request: Request) -> Installations:
    """Run the switches and the controller in a sandbox.

    Raises:
        MeasurementError: they could not be started, or did not get ready.
    """
    return ask(sandbox_, "benchmarks.table_installation", request, Installations)


def parts(sandbox_: Sandbox) -> Iterator[Part]:
    """A small network and a large one."""
    for topology, bound_s in ((load_topology(_SMALL), 0.1), (bare_switches.grid(10), 1.5)):
        name = f"all routes of {len(topology.switches)} switches installed"
        yield Part(
            name,
            partial(measure, sandbox_, Request(topology, _TIMES)),
            partial(judge, name, bound_s),
        )


def judge(name: str, bound_s: float, measured: Installations | None) -> Verdict:
    """The median since all switches have connected; a barrier after each entry stands beside it."""
    if measured is None:
        return Verdict([at_most(name, bound_s, None, "s")])
    taken_s = [one.from_last_s for one in measured.installations]
    return Verdict(
        [at_most(name, bound_s, median(taken_s), "s")],
        {"barrier after each": {name: measured.barrier_each_s}},
        {name: percentile_interval(taken_s, 50)},
    )


def _inside(request: Request, run_dir: Path) -> Installations:
    topology = request.topology
    openvswitch.start(run_dir)
    bare_switches.create(topology)
    installed = tuple(_install(topology, run_dir) for _ in range(request.times))
    entries, barrier_each_s = install_one_by_one(topology, openvswitch.RUN_DIR)
    return Installations(
        len(topology.switches), len(topology.od_pairs), entries, installed, barrier_each_s
    )


def _install(topology: Topology, folder: Path) -> Installation:
    with tempfile.TemporaryDirectory(dir=folder) as name:
        run_dir = Path(name)
        (run_dir / "topology.json").write_bytes(msgspec.json.encode(topology))
        argv = [sys.executable, "-m", "controller", "--run-dir", name]
        controller = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        try:
            with connect(run_dir / "northbound.sock") as client:
                bare_switches.connect(topology)
                await_ready(client, _PATIENCE_S)
        finally:
            controller.terminate()
            controller.wait()
        bare_switches.empty(topology)
        lines = (run_dir / "telemetry.jsonl").read_bytes().splitlines()
        return times_of([_decoder.decode(line) for line in lines])


def times_of(messages: list[FromController]) -> Installation:
    """What the controller's own journal says."""
    ready_s = next(m.t_s for m in messages if isinstance(m, Ready))
    connected_s = [m.t_s for m in messages if isinstance(m, DatapathState) and m.connected]
    connected_s = [at_s for at_s in connected_s if at_s <= ready_s]
    return Installation(ready_s - min(connected_s), ready_s - max(connected_s))


if __name__ == "__main__":
    serve(Request, _inside)

"""The trials of `benchmarks.recovery_lab` in networks without a controller: RSTP, OSPF with BFD.

`python -m benchmarks.recovery_distributed`, inside a sandbox, reads a `Request` and prints
`Outages` as one line of JSON. What fails lies on the paths that the network itself has found.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from benchmarks.in_sandbox import ask, serve
from benchmarks.recovery_lab import (
    BEFORE_S,
    Failure,
    Outages,
    Trial,
    arrivals,
    longest_hole_ms,
    trials,
)
from testbed import frr, openvswitch
from testbed.distributed import DistributedNetwork
from testbed.links.probing import open_backend
from testbed.mode_network import open_network
from testbed.modes import CONVERGENCE_S, DistributedMode, missing_programs
from testbed.pair_stream import stream
from testbed.reference.errors import MeasurementError
from testbed.sandbox import Sandbox
from topologies.catalogue import load_topology

_FAILED_S, _UNTOLD_TREE_S = 3.0, 10.0
"""How long a failure lasts: RSTP misses a silent neighbour after three hellos, 2 s apart."""
_UNTOLD: tuple[Failure, ...] = ("silent", "one end down")
"""Of what a port, at one end at least, says nothing."""
_ANSWER_SPACING_S = 0.01
"""Switches flood what is for a host that does not speak: copies on their way round by a longer path
than the tree's would then make up for what the failure has cost."""


class Request(msgspec.Struct, frozen=True):
    """What shall fail, how often, and in what lab."""

    topology: str
    backend: str
    mode: DistributedMode
    failure: Failure
    times: int


def measure(sandbox_: Sandbox, request: Request) -> Outages:
    """Run the lab in a sandbox.

    Raises:
        MeasurementError: the lab could not be built, or died.
    """
    if missing := missing_programs(request.mode):
        raise MeasurementError(f"no {', '.join(missing)}: sudo apt-get install {frr.PACKAGE}")
    return ask(sandbox_, "benchmarks.recovery_distributed", request, Outages)


def _try_out(network: DistributedNetwork, request: Request, number: int) -> float | None:
    """Let something fail and mend it; the outage in ms."""
    routing = network.await_convergence(CONVERGENCE_S)
    possible = trials(network.topology, request.failure, routing)
    trial: Trial = possible[number % len(possible)]
    is_slow = request.mode == "spanning-tree" and request.failure in _UNTOLD
    lasting_s = _UNTOLD_TREE_S if is_slow else _FAILED_S
    begin_s = time.monotonic() + 0.1
    fails_s = begin_s + BEFORE_S
    with ThreadPoolExecutor(2) as beside:
        breaking = beside.submit(network.set_faults, trial.faults, fails_s)
        back = [trial.pair[::-1]]
        answering = beside.submit(stream, network, back, _ANSWER_SPACING_S, BEFORE_S + lasting_s)
        arrived_s = arrivals(network, trial.pair, begin_s, lasting_s)
        breaking.result()
        answering.result()
    network.set_faults(())
    return longest_hole_ms(arrived_s, fails_s, lasting_s)


def _inside(request: Request, run_dir: Path) -> Outages:
    topology = load_topology(request.topology)
    if request.mode == "spanning-tree":
        openvswitch.start(run_dir)
    links = open_backend(request.backend, run_dir)
    network = open_network(request.mode, topology, links, "delay", run_dir)
    return Outages(tuple(_try_out(network, request, number) for number in range(request.times)))


if __name__ == "__main__":
    serve(Request, _inside)

"""A controller killed with SIGKILL and started again, while all pairs send.

`python -m benchmarks.controller_restart`, inside a sandbox, reads a `Request`. A thousand packets a
second take turns among all pairs of hosts. Prints `Restarts` as one line of JSON.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.controlled_lab import await_ready, controlled, start_controller
from benchmarks.in_sandbox import ask, serve
from benchmarks.parts import Part, Verdict
from controller.northbound_client import connect
from testbed.pair_stream import stream
from testbed.reference.targets import at_most
from testbed.sandbox import Sandbox
from topologies.catalogue import load_topology

WHAT = "controller restart"
_SPACING_S = 0.001
_BEFORE_S = 0.5
_DEAD_S = 0.5
_STREAM_S = 8.0
"""Long enough for the new controller to be ready, and to look for what it has to clean up."""
_READY_S = 30.0
_MOST_TIMES = 5


class Request(msgspec.Struct, frozen=True):
    """How often it is killed, and in what lab."""

    topology: str
    backend: str
    times: int


class Restarts(msgspec.Struct, frozen=True):
    """What became of all packets, and how long after its start each new controller was ready."""

    sent: int
    lost: int
    ready_ms: tuple[float, ...]


def measure(sandbox_: Sandbox, request: Request) -> Restarts:
    """Run the lab in a sandbox.

    Raises:
        MeasurementError: the lab could not be built, or died.
    """
    return ask(sandbox_, "benchmarks.controller_restart", request, Restarts)


def parts(sandbox_: Sandbox, topology: str, backend: str, times: int) -> Iterator[Part]:
    """The one thing that is measured here; more than a few times tell no more."""
    request = Request(topology, backend, min(times, _MOST_TIMES))
    yield Part(WHAT, partial(measure, sandbox_, request), judge)


def judge(restarts: Restarts | None) -> Verdict:
    """No packet may be lost; None, for what could not be measured, is unmet."""
    lost = restarts.lost if restarts else None
    return Verdict([at_most(f"{WHAT}: packets lost", 0, lost, "packets")])


def _inside(request: Request, run_dir: Path) -> Restarts:
    topology = load_topology(request.topology)
    delays_s: list[float | None] = []
    ready_ms: list[float] = []
    with controlled(topology, request.backend, "none", run_dir) as lab:
        controller = lab.controller
        for _ in range(request.times):
            with ThreadPoolExecutor(1) as pool:
                streaming = pool.submit(
                    stream, lab.network, topology.od_pairs, _SPACING_S, _STREAM_S
                )
                time.sleep(_BEFORE_S)
                controller.kill()
                controller.wait()
                time.sleep(_DEAD_S)
                started_s = time.monotonic()
                controller = start_controller(run_dir, protected=False)
                with connect(run_dir / "northbound.sock", _READY_S) as client:
                    await_ready(client)
                ready_ms.append(1e3 * (time.monotonic() - started_s))
                delays_s += streaming.result()
    return Restarts(len(delays_s), delays_s.count(None), tuple(ready_ms))


if __name__ == "__main__":
    serve(Request, _inside)

"""A controller killed with SIGKILL and started again, while all pairs send.

Beside the fail mode of our switches, "secure", stands "standalone" (ovs-vswitchd.conf.db(5)): a
switch that has missed its controller for 15 s, three inactivity probes, empties its tables and
learns addresses until it is back.

`python -m benchmarks.controller_restart`, inside a sandbox, reads a `Request`. A thousand packets a
second take turns among all pairs of hosts. Prints `Restarts` as one line of JSON.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import msgspec

from benchmarks.controlled_lab import await_ready, controlled, start_controller
from benchmarks.in_sandbox import ask, serve
from benchmarks.parts import Part, Verdict
from controller.northbound_client import connect
from testbed import openvswitch
from testbed.pair_stream import stream
from testbed.reference.targets import at_most
from testbed.sandbox import Sandbox
from topologies.catalogue import load_topology
from topologies.model import Topology

WHAT = "controller restart"
_SPACING_S = 0.001
_BEFORE_S = 0.5
_BACK_S = 7.0
"""Long enough for the new controller to be ready, and to look for what it has to clean up."""
_READY_S = 30.0
_AWAY: Mapping[float, int] = {0.5: 5, 20.0: 1}
"""How long it is away in seconds, and how often at most: more tell no more."""

FailMode = Literal["secure", "standalone"]


class Request(msgspec.Struct, frozen=True):
    """How often it is killed and how long it is away, and in what lab."""

    topology: str
    backend: str
    times: int
    away_s: float
    fail_mode: FailMode


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
    """A controller that is back at once, and one that is away for long, in both fail modes."""
    for away_s, most in _AWAY.items():
        for mode in get_args(FailMode):
            request = Request(topology, backend, min(times, most), away_s, mode)
            name = f"{WHAT}, away for {away_s:g} s"
            beside = None if mode == "secure" else f"{mode} fail mode"
            yield Part(
                f"{name}, fail mode {mode}",
                partial(measure, sandbox_, request),
                partial(judge, name, beside=beside),
            )


def judge(name: str, restarts: Restarts | None, beside: str | None = None) -> Verdict:
    """No packet may be lost; None, for what could not be measured, is unmet."""
    lost = restarts.lost if restarts else None
    target = at_most(f"{name}: packets lost", 0, lost, "packets")
    return Verdict(beside={beside: {target.name: lost}}) if beside else Verdict([target])


def _inside(request: Request, run_dir: Path) -> Restarts:
    topology = load_topology(request.topology)
    delays_s: list[float | None] = []
    ready_ms: list[float] = []
    with controlled(topology, request.backend, "none", run_dir) as lab:
        controller = lab.controller
        _set_fail_mode(topology, request.fail_mode)
        duration_s = _BEFORE_S + request.away_s + _BACK_S
        for _ in range(request.times):
            with ThreadPoolExecutor(1) as pool:
                streaming = pool.submit(
                    stream, lab.network, topology.od_pairs, _SPACING_S, duration_s
                )
                time.sleep(_BEFORE_S)
                controller.kill()
                controller.wait()
                time.sleep(request.away_s)
                started_s = time.monotonic()
                controller = start_controller(run_dir, protected=False)
                with connect(run_dir / "northbound.sock", _READY_S) as client:
                    await_ready(client)
                ready_ms.append(1e3 * (time.monotonic() - started_s))
                delays_s += streaming.result()
    return Restarts(len(delays_s), delays_s.count(None), tuple(ready_ms))


def _set_fail_mode(topology: Topology, mode: FailMode) -> None:
    """Of all switches; they have a controller, so their tables stay as they are.

    Raises:
        OpenVSwitchError: ovs-vsctl failed.
    """
    openvswitch.vsctl(
        word for s in topology.switches for word in ("--", "set-fail-mode", s.name, mode)
    )


if __name__ == "__main__":
    serve(Request, _inside)

"""A real lab in which one thing after the other fails, and a stream of packets tells for how long.

`python -m benchmarks.recovery_lab`, inside a sandbox, reads a `Request`. The packets go one way, a
thousand a second, along a path that the failure cuts; the outage is the longest time in which
none was sent that arrived (as in `results.metrics.outage`). Prints `Outages` as one line of JSON.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice, pairwise
from pathlib import Path
from typing import Literal

import msgspec

from benchmarks.controlled_lab import controlled
from benchmarks.in_sandbox import ask, serve
from controller.messages import LinkState, Route, Routes
from controller.northbound_client import NorthboundClient
from playbooks.plan import ProtectionMode
from testbed.faults import EndDown, Fault, LinkDown, Silent, SwitchCrash
from testbed.host_sockets import datagram_sockets
from testbed.network import Network
from testbed.numbered_packets import Arrival, Shot, exchange
from testbed.reference.errors import MeasurementError
from testbed.sandbox import Sandbox
from topologies.catalogue import load_topology, with_core_shape
from topologies.model import DirectedLink, OdPair, Queueing, Routing, Topology
from topologies.model import Path as SwitchPath
from topologies.paths import shortest_paths

Failure = Literal[
    "link down",
    "one end down",
    "silent",
    "switch crash",
    "second failure",
    "silent after a return",
    "controller hung",
    "silent, controller hung",
]

_SPACING_S = 0.001
BEFORE_S = 0.3
_FAILED_S = 1.5
_IN_FLIGHT_S = 0.2
_REPAIRED_S = 0.5
"""Between the repair of the first failure and the second."""
_RETURNS_S = 10.0
"""The longest until paths return after a repair."""
_SETTLE_S = 3.5
"""Between two trials: paths return a second after the last news, BFD may take another."""


class Request(msgspec.Struct, frozen=True):
    """What shall fail, how often, and in what lab."""

    topology: str
    backend: str
    protection: ProtectionMode
    failure: Failure
    times: int


class Outages(msgspec.Struct, frozen=True):
    """One of each per trial."""

    outages_ms: tuple[float | None, ...]
    """None: no packet arrived any more while the failure lasted."""
    under_way_ms: tuple[float, ...] = ()
    """The delay of what failed, if known: packets under way there are lost, whatever protects."""


def measure(sandbox_: Sandbox, request: Request) -> Outages:
    """Run the lab in a sandbox.

    Raises:
        MeasurementError: the lab could not be built, or died.
    """
    return ask(sandbox_, "benchmarks.recovery_lab", request, Outages)


@dataclass(frozen=True)
class Trial:
    """What fails, and a pair of hosts whose path it cuts."""

    pair: OdPair
    faults: tuple[Fault, ...]
    delay_ms: float
    """Of the links of the path that fail."""


def trials(topology: Topology, failure: Failure, routing: Routing | None = None) -> list[Trial]:
    """One for every core link, or transit switch, that is used and can be done without."""
    found: dict[tuple[str, ...], Trial] = {}
    for pair, path in (routing or shortest_paths(topology)).items():
        for victim, faults in _cuts(path, failure):
            if victim in found:
                continue
            dead = _dead(topology, faults)
            if pair in shortest_paths(topology, down=dead):
                hops = [hop for hop in pairwise(path) if hop in dead]
                delay_ms = sum(topology.link_between[hop].shape.delay_ms for hop in hops)
                found[victim] = Trial(pair, faults, delay_ms)
    return [found[victim] for victim in sorted(found)]


def _cuts(
    path: SwitchPath, failure: Failure
) -> Iterator[tuple[tuple[str, ...], tuple[Fault, ...]]]:
    """What may fail on a path, by name."""
    if failure == "switch crash":
        for switch in path[1:-1]:
            yield (switch,), (SwitchCrash(switch),)
        return
    for here, there in pairwise(path):
        match failure:
            case "one end down":
                yield (here, there), (EndDown((here, there), there),)
            case "silent" | "silent after a return" | "silent, controller hung":
                yield (here, there), (Silent(((here, there), (there, here))),)
            case _:
                yield tuple(sorted((here, there))), (LinkDown((here, there)),)


def _dead(topology: Topology, faults: Sequence[Fault]) -> frozenset[DirectedLink]:
    dead: set[DirectedLink] = set()
    for fault in faults:
        match fault:
            case LinkDown((a, b)) | EndDown((a, b)):
                dead |= {(a, b), (b, a)}
            case Silent(directions):
                dead |= set(directions)
            case SwitchCrash(switch):
                dead |= {hop for hop in topology.core_directions if switch in hop}
    return frozenset(dead)


class _Lab:
    """A network, its controller, and the clock of a trial."""

    def __init__(
        self, network: Network, controller: subprocess.Popen[bytes], client: NorthboundClient
    ) -> None:
        self._network = network
        self._controller = controller
        self._client = client

    def try_out(self, trial: Trial, failure: Failure) -> float | None:
        """Let it fail and mend it; the outage in ms."""
        hung = failure.endswith("controller hung")
        if hung:
            self._controller.send_signal(signal.SIGSTOP)
        fails_s = time.monotonic() + 0.1 + BEFORE_S
        if failure in ("second failure", "silent after a return"):
            self._network.set_faults(trial.faults)
            repaired_s = self._network.set_faults((), time.monotonic() + _FAILED_S)
            fails_s = repaired_s + _REPAIRED_S
        if failure == "silent after a return":
            self._await_return(trial.pair)
            fails_s = time.monotonic() + 0.1 + BEFORE_S
        begin_s = fails_s - BEFORE_S
        with ThreadPoolExecutor(1) as beside:
            breaking = beside.submit(self._network.set_faults, trial.faults, fails_s)
            arrived_s = arrivals(self._network, trial.pair, begin_s)
            breaking.result()
        self._network.set_faults(())
        if hung:
            self._controller.send_signal(signal.SIGCONT)
        self.settle()
        return longest_hole_ms(arrived_s, fails_s)

    def _await_return(self, pair: OdPair) -> None:
        """Read on until a pair is back on its shortest path.

        Raises:
            MeasurementError: it does not come back.
        """
        route = Route(*pair, shortest_paths(self._network.topology)[pair])
        deadline_s = time.monotonic() + _RETURNS_S
        while (left_s := deadline_s - time.monotonic()) > 0:
            message = self._client.receive(left_s)
            if isinstance(message, Routes) and route in message.routes:
                return
        raise MeasurementError(f"{pair[0]} to {pair[1]} has not returned to its shortest path")

    def settle(self) -> None:
        """Read away the news until there has been none of links for a while."""
        quiet_s = time.monotonic() + _SETTLE_S
        while (left_s := quiet_s - time.monotonic()) > 0:
            if isinstance(self._client.receive(left_s), LinkState):
                quiet_s = time.monotonic() + _SETTLE_S


def arrivals(
    network: Network, pair: OdPair, begin_s: float, failed_s: float = _FAILED_S
) -> list[float]:
    """Send packets from before a failure to its end; when those were sent that arrived."""
    with datagram_sockets(network.hosts, network.addressing, pair) as ends:
        source, target = (ends[host] for host in pair)
        count = round((BEFORE_S + failed_s) / _SPACING_S)
        shots = [
            Shot(number * _SPACING_S, source, target.getsockname(), Arrival(target))
            for number in range(count)
        ]
        time.sleep(max(0.0, begin_s - time.monotonic()))
        begun_s = time.monotonic()
        delays_s = exchange(shots, _IN_FLIGHT_S)
    return [
        begun_s + shot.at_s
        for shot, delay_s in zip(shots, delays_s, strict=True)
        if delay_s is not None
    ]


def longest_hole_ms(
    arrived_s: Sequence[float], failed_s: float, lasting_s: float = _FAILED_S
) -> float | None:
    """The longest time between packets that arrived, less the spacing; None if it has no end.

    Those that were on the failed link, sent before it failed, are part of the hole.
    """
    if not arrived_s or arrived_s[-1] < failed_s + lasting_s / 2:
        return None
    hole_s = max(later - earlier for earlier, later in pairwise(arrived_s))
    return max(0.0, 1e3 * (hole_s - _SPACING_S))


def _inside(request: Request, run_dir: Path) -> Outages:
    queueing: Queueing | None = "priority" if request.protection == "bfd" else None
    topology = with_core_shape(load_topology(request.topology), queueing=queueing)
    with controlled(topology, request.backend, request.protection, run_dir) as ready:
        lab = _Lab(ready.network, ready.controller, ready.client)
        lab.settle()
        chosen = list(islice(cycle(trials(topology, request.failure)), request.times))
        return Outages(
            tuple(lab.try_out(trial, request.failure) for trial in chosen),
            tuple(trial.delay_ms for trial in chosen),
        )


if __name__ == "__main__":
    serve(Request, _inside)

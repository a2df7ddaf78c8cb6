"""All OD pairs move to another path at once, and back, under traffic: what is lost or overtaken.

`python -m benchmarks.planned_reroute`, inside a sandbox, reads a `Request` and prints `Moves` as
one line of JSON. Every pair sends at an even pace, all together `PACKETS_PER_S`; then the same
moves are made by deleting the old entries and adding the new ones.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.controlled_lab import ControlledLab, controlled
from benchmarks.delete_then_add import delete_then_add
from benchmarks.in_sandbox import ask, serve
from benchmarks.parts import Part, Verdict
from controller.messages import Reroute, RerouteDone, Route
from controller.reroute import drain_s
from testbed import switch_tables
from testbed.host_sockets import datagram_sockets
from testbed.numbered_packets import Arrival, Flight, Shot, fly
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import at_most
from testbed.sandbox import Sandbox
from topologies.catalogue import load_topology
from topologies.model import OdPair, Routing, Topology
from topologies.paths import k_shortest_paths, propagation_delay_ms, shortest_paths

PACKETS_PER_S = 5000
_EQUAL_DELAYS = "leaf-spine"

_BEFORE_S = 0.3
_STREAM_S = 2.5
"""Long enough for the move, and for the old paths to be drained and removed."""
_IN_FLIGHT_S = 0.5
_SAME_DELAY_MS = 0.001
_PATIENCE_S = 10.0


class Request(msgspec.Struct, frozen=True):
    """In which lab all pairs move how often."""

    topology: str
    backend: str
    times: int


class Move(msgspec.Struct, frozen=True):
    """One move of all pairs that have another path."""

    pairs: int
    sent: int
    lost: int
    reordered: int
    reordered_on_equal_delay: int
    """Those of them whose old and new path have the same delay: the rest is physics."""
    switched_ms: float | None
    """From the request until no packet takes an old path any more."""
    total_ms: float
    """From the request until all is cleaned up, less the drain."""


class Moves(msgspec.Struct, frozen=True):
    """Of both kinds."""

    equal_delay_pairs: int
    make_before_break: tuple[Move, ...]
    delete_then_add: tuple[Move, ...]


def measure(sandbox_: Sandbox, request: Request) -> Moves:
    """Run the lab in a sandbox.

    Raises:
        MeasurementError: the lab could not be built, or died, or a move took too long.
    """
    return ask(sandbox_, "benchmarks.planned_reroute", request, Moves)


def parts(sandbox_: Sandbox, topology: str, backend: str, times: int) -> Iterator[Part]:
    """On `topology`, and on a fabric whose other paths have the same delay."""
    for network in dict.fromkeys((topology, _EQUAL_DELAYS)):
        request = Request(network, backend, times)
        name = f"planned reroute, {network.rpartition('/')[2]}"
        yield Part(name, partial(measure, sandbox_, request), partial(judge, name))


def judge(name: str, moves: Moves | None) -> Verdict:
    """What must hold of every move; deleting first stands beside it."""
    gently = moves.make_before_break if moves else ()
    equal = moves is not None and moves.equal_delay_pairs > 0
    targets = [
        at_most(f"{name}: {what}", bound, measured, unit)
        for what, bound, measured, unit in _figures(gently, equal)
    ]
    roughly = _figures(moves.delete_then_add, equal) if moves else ()
    beside = {f"{name}: {what}": measured for what, _, measured, _ in roughly}
    return Verdict(targets, {"delete then add": beside})


def _figures(kind: Sequence[Move], equal: bool) -> Iterator[tuple[str, float, float | None, str]]:
    yield "lost, of all moves", 0, sum(m.lost for m in kind) if kind else None, "packets"
    if equal:
        overtaken = sum(move.reordered_on_equal_delay for move in kind)
        yield "reordered on paths of equal delay", 0, overtaken, "packets"
    longest_ms = max((move.total_ms for move in kind), default=None)
    yield "longest, less the drain", 100, longest_ms, "ms"


def other_paths(topology: Topology, routing: Routing) -> dict[OdPair, tuple[str, ...]]:
    """The second shortest path of every pair that has one."""
    found = {}
    for pair, path in routing.items():
        paths = k_shortest_paths(topology, path[0], path[-1], k=2)
        if len(paths) == 2:
            found[pair] = paths[1]
    return found


def reordered(shots: Sequence[OdPair], flight: Flight) -> dict[OdPair, int]:
    """By pair, the packets that came after one that was sent later (RFC 4737, section 3)."""
    arrivals: defaultdict[OdPair, list[tuple[float, int]]] = defaultdict(list)
    for number, (pair, sent_s, delay_s) in enumerate(
        zip(shots, flight.sent_s, flight.delays_s, strict=True)
    ):
        if delay_s is not None:
            arrivals[pair].append((sent_s + delay_s, number))
    late: dict[OdPair, int] = {}
    for pair, arrived in arrivals.items():
        newest = late[pair] = 0
        for _, number in sorted(arrived):
            late[pair] += number < newest
            newest = max(newest, number)
    return late


class _Lab:
    def __init__(self, lab: ControlledLab) -> None:
        self._lab = lab
        self.topology = lab.network.topology
        shortest = shortest_paths(self.topology)
        other = other_paths(self.topology, shortest)
        self.ways: tuple[Routing, Routing] = {pair: shortest[pair] for pair in other}, other
        self.equal_delay = {pair for pair in other if self._same_delay(pair)}
        self._numbers = count(1)

    def _same_delay(self, pair: OdPair) -> bool:
        delays = [propagation_delay_ms(self.topology, pair, way[pair]) for way in self.ways]
        return abs(delays[0] - delays[1]) < _SAME_DELAY_MS

    def tables(self) -> Mapping[str, switch_tables.SwitchTables]:
        return switch_tables.dump(self._lab.network.switches)

    def reroute(self, way: Routing) -> Callable[[], tuple[float | None, float]]:
        """Ask for it; how long until it is switched, and cleaned up less the drain, in ms."""

        def ask() -> tuple[float | None, float]:
            request_id = str(next(self._numbers))
            moves = tuple(Route(*pair, path) for pair, path in way.items())
            asked_s = time.monotonic()
            self._lab.client.send(Reroute(request_id, moves))
            done = self._await(request_id)
            if done.refused:
                raise MeasurementError(f"a move was refused: {done.refused[0].reason}")
            old = self.ways[1] if way is self.ways[0] else self.ways[0]
            drained_s = max(drain_s(self.topology, pair, path) for pair, path in old.items())
            return 1e3 * (done.switched_s - asked_s), 1e3 * (done.removed_s - asked_s - drained_s)

        return ask

    def _await(self, request_id: str) -> RerouteDone:
        deadline_s = time.monotonic() + _PATIENCE_S
        while (left_s := deadline_s - time.monotonic()) > 0:
            message = self._lab.client.receive(left_s)
            if isinstance(message, RerouteDone) and message.request_id == request_id:
                return message
        raise MeasurementError("the controller has not answered a reroute")

    def under_traffic(self, change: Callable[[], tuple[float | None, float]]) -> Move:
        """Make a change in the middle of a stream."""
        network = self._lab.network
        names = self.topology.switch_of
        with datagram_sockets(network.hosts, network.addressing, names) as sockets:
            pairs = list(islice(cycle(self.ways[0]), round(_STREAM_S * PACKETS_PER_S)))
            shots = [
                Shot(
                    number / PACKETS_PER_S,
                    sockets[source],
                    sockets[target].getsockname(),
                    Arrival(sockets[target]),
                )
                for number, (source, target) in enumerate(pairs)
            ]
            with ThreadPoolExecutor(1) as beside:
                begun_s = time.monotonic()
                changing = beside.submit(_later, begun_s + _BEFORE_S, change)
                flight = fly(shots, _IN_FLIGHT_S)
                if not changing.done():
                    raise MeasurementError("a move has outlasted the packets")
                switched_ms, total_ms = changing.result()
        late = reordered(pairs, flight)
        return Move(
            pairs=len(self.ways[0]),
            sent=len(shots),
            lost=flight.delays_s.count(None),
            reordered=sum(late.values()),
            reordered_on_equal_delay=sum(n for p, n in late.items() if p in self.equal_delay),
            switched_ms=switched_ms,
            total_ms=total_ms,
        )


def _timed(change: Callable[[], float]) -> tuple[None, float]:
    return None, 1e3 * change()


def _later(at_s: float, change: Callable[[], Any]) -> Any:
    time.sleep(max(0.0, at_s - time.monotonic()))
    return change()


def _inside(request: Request, run_dir: Path) -> Moves:
    topology = load_topology(request.topology)
    with controlled(topology, request.backend, "none", run_dir) as ready:
        lab = _Lab(ready)
        to_and_fro = list(islice(cycle((lab.ways[1], lab.ways[0])), request.times))
        gently = tuple(lab.under_traffic(lab.reroute(way)) for way in to_and_fro)
        here = lab.tables()
        lab.reroute(lab.ways[1] if to_and_fro[-1] is lab.ways[0] else lab.ways[0])()
        there = lab.tables()
        roughly = []
        for _ in range(request.times):
            here, there = there, here
            change = delete_then_add(here, there)
            roughly.append(lab.under_traffic(partial(_timed, change)))
        return Moves(len(lab.equal_delay), gently, tuple(roughly))


if __name__ == "__main__":
    serve(Request, _inside)

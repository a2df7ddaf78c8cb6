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
from itertools import count, cycle, islice, pairwise
from pathlib import Path

import msgspec

from benchmarks.controlled_lab import ControlledLab, controlled
from benchmarks.delete_then_add import delete_then_add
from benchmarks.in_sandbox import ask, serve
from benchmarks.parts import Part, Verdict
from controller.messages import Reroute, RerouteDone, Route
from controller.reroute import drain_s
from playbooks.plan import ProtectionMode
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
    protection: ProtectionMode = "none"


class Phases(msgspec.Struct, frozen=True):
    """Of a move: how long each took."""

    received_ms: float
    """From the request until the controller has it."""
    installed_ms: float
    """Until the new paths are there behind the ingress switches."""
    switched_ms: float
    """Until no packet takes an old path any more."""
    removed_ms: float
    """Until all is cleaned up, less the drain."""

    @property
    def total_ms(self) -> float:
        """From the request until all is cleaned up, less the drain."""
        return self.received_ms + self.installed_ms + self.switched_ms + self.removed_ms


class Move(msgspec.Struct, frozen=True):
    """One move of all pairs that have another path."""

    pairs: int
    sent: int
    lost: int
    reordered: int
    reordered_on_equal_delay: int
    """Those of them whose old and new path have the same delay: the rest is physics."""
    total_ms: float
    """From the request until all is cleaned up, less the drain."""
    phases: Phases | None = None
    """Of a reroute."""


class Moves(msgspec.Struct, frozen=True):
    """Of both kinds; those that delete first, without protection only."""

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
    """On `topology`, and on a fabric whose other paths have the same delay; with groups, too."""
    plain = [
        Request(network, backend, times) for network in dict.fromkeys((topology, _EQUAL_DELAYS))
    ]
    for request in (*plain, Request(topology, backend, times, "fast-failover")):
        name = f"planned reroute, {request.topology.rpartition('/')[2]}"
        if request.protection != "none":
            name += f", {request.protection}"
        yield Part(name, partial(measure, sandbox_, request), partial(judge, name))


def judge(name: str, moves: Moves | None) -> Verdict:
    """What must hold of every move; the phases of the longest, and deleting first, stand beside."""
    gently = moves.make_before_break if moves else ()
    equal = moves is not None and moves.equal_delay_pairs > 0
    targets = [
        at_most(f"{name}: {what}", bound, measured, unit)
        for what, bound, measured, unit in _figures(gently, equal)
    ]
    beside: dict[str, dict[str, float | None]]
    beside = {column: {targets[-1].name: ms} for column, ms in _longest(gently)}
    if moves and moves.delete_then_add:
        roughly = _figures(moves.delete_then_add, equal)
        beside["delete then add"] = {
            f"{name}: {what}": measured for what, _, measured, _ in roughly
        }
    return Verdict(targets, beside)


def _longest(kind: Sequence[Move]) -> Iterator[tuple[str, float]]:
    """The phases of the longest move, by the names of their columns."""
    with_phases = [(move.total_ms, move.phases) for move in kind if move.phases]
    if with_phases:
        _, phases = max(with_phases, key=lambda move: move[0])
        yield "asked to received", phases.received_ms
        yield "to installed", phases.installed_ms
        yield "to switched", phases.switched_ms
        yield "to removed", phases.removed_ms


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

    def reroute(self, way: Routing) -> Callable[[], Phases]:
        """Prepare it; the call makes it."""

        def ask() -> Phases:
            request_id = str(next(self._numbers))
            moves = tuple(Route(*pair, path) for pair, path in way.items())
            asked_s = time.monotonic()
            self._lab.client.send(Reroute(request_id, moves))
            done = self._await(request_id)
            if done.refused:
                raise MeasurementError(f"a move was refused: {done.refused[0].reason}")
            old = self.ways[1] if way is self.ways[0] else self.ways[0]
            drained_s = max(drain_s(self.topology, pair, path) for pair, path in old.items())
            return phases_of(done, asked_s, drained_s)

        return ask

    def _await(self, request_id: str) -> RerouteDone:
        deadline_s = time.monotonic() + _PATIENCE_S
        while (left_s := deadline_s - time.monotonic()) > 0:
            message = self._lab.client.receive(left_s)
            if isinstance(message, RerouteDone) and message.request_id == request_id:
                return message
        raise MeasurementError("the controller has not answered a reroute")

    def under_traffic(self, change: Callable[[], Phases | float]) -> Move:
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
                taken = changing.result()
        late = reordered(pairs, flight)
        return Move(
            pairs=len(self.ways[0]),
            sent=len(shots),
            lost=flight.delays_s.count(None),
            reordered=sum(late.values()),
            reordered_on_equal_delay=sum(n for p, n in late.items() if p in self.equal_delay),
            total_ms=taken.total_ms if isinstance(taken, Phases) else 1e3 * taken,
            phases=taken if isinstance(taken, Phases) else None,
        )


def phases_of(done: RerouteDone, asked_s: float, drained_s: float) -> Phases:
    """What the controller's answer says of a move that was asked for at `asked_s`."""
    at_s = (asked_s, done.received_s, done.installed_s, done.switched_s, done.removed_s - drained_s)
    return Phases(*(1e3 * (later_s - earlier_s) for earlier_s, later_s in pairwise(at_s)))


def _later(at_s: float, change: Callable[[], Phases | float]) -> Phases | float:
    time.sleep(max(0.0, at_s - time.monotonic()))
    return change()


def _inside(request: Request, run_dir: Path) -> Moves:
    topology = load_topology(request.topology)
    with controlled(topology, request.backend, request.protection, run_dir) as ready:
        lab = _Lab(ready)
        to_and_fro = list(islice(cycle((lab.ways[1], lab.ways[0])), request.times))
        gently = tuple(lab.under_traffic(lab.reroute(way)) for way in to_and_fro)
        roughly: tuple[Move, ...] = ()
        if request.protection == "none":
            roughly = tuple(_deleting_first(lab, to_and_fro[-1], request.times))
        return Moves(len(lab.equal_delay), gently, roughly)


def _deleting_first(lab: _Lab, last: Routing, times: int) -> Iterator[Move]:
    """The same moves, from where the last one has led."""
    here = lab.tables()
    lab.reroute(lab.ways[1] if last is lab.ways[0] else lab.ways[0])()
    there = lab.tables()
    for _ in range(times):
        here, there = there, here
        yield lab.under_traffic(delete_then_add(here, there))


if __name__ == "__main__":
    serve(Request, _inside)

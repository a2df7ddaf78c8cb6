"""Before the workload: does every link, and every path, delay as configured while it is idle?

Links are checked with frames of their own, one link at a time, so a path that is wrong while its
links are right is a matter of routes. Frames enter a link where a node's frames would: at the
interface, which the link daemon or netem sits behind.
"""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from testbed.host_sockets import datagram_sockets
from testbed.hosts import Hosts
from testbed.namespaces import network_namespace
from testbed.numbered_packets import PAYLOAD_BYTES, Arrival, Shot, exchange
from testbed.records import IdleLink, IdlePath
from topologies.addressing import Addressing
from topologies.model import DirectedLink, LinkShape, OdPair, Path, Topology, Ways
from topologies.splits import paths_of

FRAMES = 10
"""In each direction of a link; more where it is configured to lose some."""

_MOST_FRAMES = 60
_SURELY = 1e-6
"""A link that passes frames at all loses all those of a check with no more than this chance."""

_ETHERTYPE = 0x88B5  # local experimental, IEEE 802, 9.2.3
_NOBODY = b"\x03\x00\x00\x00\x88\xb5"  # a locally administered group that no node has joined
_ETH_P_ALL = 0x0003
_SOL_PACKET, _PACKET_IGNORE_OUTGOING = 263, 23
_FRAME_BYTES = 14 + PAYLOAD_BYTES
_DATAGRAM_BYTES = 14 + 28 + PAYLOAD_BYTES

_FRAME_GAP_S = 0.00025
_REACH_GAP_S, _REACH_S = 0.0005, 0.6
"""The first datagrams are all sent within that time, however many pairs there are."""
_DATAGRAM_GAP_S = 0.001
_MEASURED = 400
"""So many datagrams more are measured, slowly: at the pace of the first ones a large network has
queues in the switches."""
_GRACE_S = 0.2
"""Beyond the longest configured delay: nothing that is still under way then will come."""
_ATTEMPTS = 4
_MOST_ROUNDS = 3


def check_links(topology: Topology, addressing: Addressing, hosts: Hosts) -> Iterator[IdleLink]:
    """Send numbered frames over every direction of every link, all interleaved.

    Called in the namespace of the switches.

    Raises:
        OSError: an interface is missing or down.
    """
    directions = [direction for link in topology.links for direction in link.directions]
    shapes = {direction: topology.link_between[direction].shape for direction in directions}
    order = frame_order(shapes)
    with ExitStack() as open_sockets:
        ends = _packet_sockets(hosts, topology, open_sockets)
        shots = [
            Shot(
                at_s,
                ends[a],
                (addressing.interface(a, b), _ETHERTYPE, 0, 0, _NOBODY),
                Arrival(ends[b], addressing.interface(b, a)),
            )
            for at_s, (a, b) in order
        ]
        delays = exchange(shots, max(map(_longest_s, shapes.values())) + _GRACE_S)
        # Each takes some 10 ms, for a grace period of the kernel (synchronize_net).
        threading.Thread(target=open_sockets.pop_all().close).start()
    of_direction: dict[DirectedLink, list[float | None]] = {one: [] for one in directions}
    for (_, direction), delay_s in zip(order, delays, strict=True):
        of_direction[direction].append(delay_s)
    for (a, b), all_s in of_direction.items():
        came_s = [delay_s for delay_s in all_s if delay_s is not None]
        yield IdleLink(
            src=a,
            dst=b,
            configured_ms=frame_delay_ms(shapes[a, b], _FRAME_BYTES),
            measured_ms=_median_ms(came_s),
            jitter_ms=shapes[a, b].jitter_ms,
            sent=len(all_s),
            arrived=len(came_s),
        )


def check_paths(
    topology: Topology, addressing: Addressing, hosts: Hosts, routing: Ways
) -> Iterator[IdlePath]:
    """Send datagrams between all hosts along their routes; those that get lost are sent again.

    The first of each pair, which the switches may have to look up, only shows that there is a way.
    Then delays are measured, of all pairs or of as many as there is time for. Which path of a split
    they took, the delay itself tells.

    Raises:
        OSError: a host has no address, or no process any more.
    """
    with ExitStack() as open_sockets:
        paths = _Paths(topology, addressing, hosts, routing, open_sockets)
        arrived = paths.reach()
        delays_s = paths.measure([pair for pair in routing if pair in arrived])
    for source, target in routing:
        measured_ms = _median_ms(delays_s.get((source, target), ()))
        expected = paths.nearest((source, target), measured_ms)
        yield IdlePath(
            src=source,
            dst=target,
            arrived=(source, target) in arrived,
            configured_ms=expected.configured_ms,
            measured_ms=measured_ms,
            jitter_ms=expected.jitter_ms,
        )


def frame_order(shapes: Mapping[DirectedLink, LinkShape]) -> list[tuple[float, DirectedLink]]:
    """When a frame is sent over which direction: in rounds, none before the last one has left."""
    slowest_ms = max(_transmission_ms(shape, _FRAME_BYTES) for shape in shapes.values())
    round_s = max(len(shapes) * _FRAME_GAP_S, 2 * slowest_ms / 1e3)
    return [
        (number * round_s + place * _FRAME_GAP_S, direction)
        for number in range(max(map(frames_needed, shapes.values())))
        for place, (direction, shape) in enumerate(shapes.items())
        if number < frames_needed(shape)
    ]


def frames_needed(shape: LinkShape) -> int:
    """How many frames tell a link that loses as configured from one that loses all."""
    loss = shape.loss_percent / 100
    if loss <= _SURELY:
        return FRAMES
    # Once lost, the next is lost too with this chance; see LinkShape.loss_burst_packets.
    again = loss if shape.loss_burst_packets is None else 1 - 1 / shape.loss_burst_packets
    if not 0 < again < 1:
        return FRAMES if again <= 0 else _MOST_FRAMES
    needed = 1 + math.ceil(math.log(_SURELY / loss) / math.log(again))
    return min(max(FRAMES, needed), _MOST_FRAMES)


def frame_delay_ms(shape: LinkShape, frame_bytes: int) -> float:
    """Propagation and transmission of a frame on an idle link."""
    return shape.delay_ms + _transmission_ms(shape, frame_bytes)


def _transmission_ms(shape: LinkShape, frame_bytes: int) -> float:
    return 8e3 * frame_bytes / shape.rate_bps


def _longest_s(shape: LinkShape) -> float:
    return (frame_delay_ms(shape, _FRAME_BYTES) + 5 * shape.jitter_ms) / 1e3


def _median_ms(delays_s: Sequence[float]) -> float | None:
    return round(1e3 * median(delays_s), 4) if delays_s else None


def _packet_sockets(
    hosts: Hosts, topology: Topology, open_sockets: ExitStack
) -> Mapping[str, socket.socket]:
    """A packet socket per node; all switches share one, routers do not."""
    here = open_sockets.enter_context(_packet_socket())
    ends = {}
    for node in {end for link in topology.links for end in (link.a, link.b)}:
        if node not in hosts:
            ends[node] = here
            continue
        with network_namespace(hosts.pid(node)):
            ends[node] = open_sockets.enter_context(_packet_socket())
    return ends


def _packet_socket() -> socket.socket:
    """One that sees what arrives before Open vSwitch takes it, which only ETH_P_ALL does."""
    one = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    one.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    return one


@dataclass(frozen=True)
class _Expected:
    """What the links of one path add up to."""

    configured_ms: float
    jitter_ms: float


class _Paths:
    """The datagrams of a path check."""

    def __init__(
        self,
        topology: Topology,
        addressing: Addressing,
        hosts: Hosts,
        routing: Ways,
        open_sockets: ExitStack,
    ) -> None:
        names = [host.name for host in topology.hosts]
        self._sockets = open_sockets.enter_context(datagram_sockets(hosts, addressing, names))
        self._expected = {
            pair: [_expected(topology, pair, path) for path in paths_of(way)]
            for pair, way in routing.items()
        }
        slowest_ms = (
            one.configured_ms + 5 * one.jitter_ms
            for expected in self._expected.values()
            for one in expected
        )
        longest_ms = max(slowest_ms, default=0.0)
        self._wait_s = longest_ms / 1e3 + _GRACE_S
        frames = max(frames_needed(link.shape) for link in topology.links)
        self._attempts = _ATTEMPTS if frames == FRAMES else frames

    def nearest(self, pair: OdPair, measured_ms: float | None) -> _Expected:
        """The path of the pair whose delay is nearest to the measured one, else the first."""
        expected = self._expected[pair]
        if measured_ms is None:
            return expected[0]
        return min(expected, key=lambda one: abs(one.configured_ms - measured_ms))

    def reach(self) -> set[OdPair]:
        """The pairs between which datagrams arrive; those that get lost are sent again."""
        missing = list(self._expected)
        for _ in range(self._attempts):
            if not missing:
                break
            gap_s = min(_REACH_GAP_S, _REACH_S / len(missing))
            came = self._send(missing, gap_s)
            missing = [pair for pair in missing if pair not in came]
        return set(self._expected) - set(missing)

    def measure(self, pairs: Sequence[OdPair]) -> dict[OdPair, list[float]]:
        """Delays of pairs, evenly chosen where they are many, in seconds."""
        chosen = pairs[:: math.ceil(len(pairs) / _MEASURED) or 1]
        delays_s: dict[OdPair, list[float]] = {pair: [] for pair in chosen}
        for _ in range(min(_MOST_ROUNDS, _MEASURED // max(1, len(chosen)))):
            for pair, delay_s in self._send(chosen, _DATAGRAM_GAP_S).items():
                delays_s[pair].append(delay_s)
        return delays_s

    def _send(self, pairs: Sequence[OdPair], gap_s: float) -> dict[OdPair, float]:
        """One datagram per pair; the delays of those that arrived."""
        shots = [
            Shot(
                number * gap_s,
                self._sockets[source],
                self._sockets[target].getsockname(),
                Arrival(self._sockets[target]),
            )
            for number, (source, target) in enumerate(pairs)
        ]
        delays_s = exchange(shots, self._wait_s)
        return {
            pair: delay_s
            for pair, delay_s in zip(pairs, delays_s, strict=True)
            if delay_s is not None
        }


def _expected(topology: Topology, pair: OdPair, path: Path) -> _Expected:
    hops = pairwise((pair[0], *path, pair[1]))
    shapes = [topology.link_between[hop].shape for hop in hops]
    return _Expected(
        configured_ms=sum(frame_delay_ms(shape, _DATAGRAM_BYTES) for shape in shapes),
        jitter_ms=sum(shape.jitter_ms for shape in shapes),
    )

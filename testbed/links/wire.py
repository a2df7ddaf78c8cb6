"""What one direction of a kernel link is made of, in the words of ip(8) and tc(8).

    a-eth ── plug     transmitter ── receiver     plug ── b-eth
                 └───────┘ queue, rate     └─ gate ─┘ delay, loss

Each ── is a veth pair; the other direction uses the same pairs the other way. What comes out of
one pair is redirected into the next. HTB on the transmitter is the rate, and its leaf the queue or
queues (leaf.py); netem on the far plug is the medium, with its `rate` adding the time that a frame
takes to be transmitted; the gate between them drops everything while the link has failed. Nothing
sits behind a port of the switch or in the host, and each loss has a counter of its own.

See tc-htb(8), tc-netem(8), tc-mirred(8), tc-actions(8).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from testbed.links.backend import QUEUEING_STAYS
from testbed.links.leaf import changed_leaf, leaf
from testbed.links.loss import gilbert
from topologies.model import LinkShape

_MTU_BYTES = 9000
"""Of the pairs between the ends: what the ends may send is their own affair."""
_FRAME_BYTES = 1514
_BURST_S = 0.0001
"""How late a timer may be before the rate suffers."""
_IN_FLIGHT_LIMIT = 1_000_000
"""netem must never be the queue."""
_ORDER_KEEPING_RATE = "100gbit"
"""With any `rate`, netem counts from the last frame's due time, so that none overtakes."""


@dataclass(frozen=True)
class Wire:
    """One direction of a link: the interfaces that a frame passes, and the index of its gate."""

    entry: str
    transmitter: str
    receiver: str
    exit: str
    gate: int


def wires(number: int) -> tuple[Wire, Wire]:
    """Both directions of the link `number` (from 0), a to b first."""
    plugs, middle = (f"plug{number}a", f"plug{number}b"), (f"wire{number}a", f"wire{number}b")
    forth = Wire(plugs[0], middle[0], middle[1], plugs[1], 2 * number + 1)
    back = Wire(plugs[1], middle[1], middle[0], plugs[0], 2 * number + 2)
    return forth, back


def interfaces(end_a: str, end_b: str, forth: Wire) -> Iterator[str]:
    """Commands of ip that make the interfaces of a link, the two ends included."""
    for end, plug in ((end_a, forth.entry), (end_b, forth.exit)):
        # One segment at most: a queue in packets is one of frames, not of what TCP gathers.
        yield f"link add name {end} gso_max_segs 1 type veth peer name {plug} mtu {_MTU_BYTES}"
    middle = f"{forth.transmitter} mtu {_MTU_BYTES} type veth peer name {forth.receiver}"
    yield f"link add name {middle} mtu {_MTU_BYTES}"
    for inner in (forth.entry, forth.transmitter, forth.receiver, forth.exit):
        yield f"link set {inner} up"


def attach(wire: Wire, shape: LinkShape) -> Iterator[str]:
    """Commands of tc that make a direction of new interfaces."""
    yield f"qdisc add dev {wire.transmitter} root handle 1: htb default 1"
    yield f"class add {_rate(wire, shape)}"
    yield from leaf(wire.transmitter, shape)
    yield f"qdisc add {_medium(wire, shape)}"
    for device in (wire.entry, wire.receiver):
        yield f"qdisc add dev {device} clsact"
    redirect = "action mirred egress redirect dev"
    yield f"filter add dev {wire.entry} ingress matchall {redirect} {wire.transmitter}"
    gate = f"action gact pipe index {wire.gate}"
    yield f"filter add dev {wire.receiver} ingress matchall {gate} {redirect} {wire.exit}"


def reshape(wire: Wire, shape: LinkShape) -> Iterator[str]:
    """Commands of tc that change a direction; frames in flight keep their due time."""
    yield f"class change {_rate(wire, shape)}"
    yield from changed_leaf(wire.transmitter, shape)
    yield f"qdisc change {_medium(wire, shape)}"


def close_gate(wire: Wire) -> str:
    """Return the command of tc that lets nothing through."""
    return f"actions change action gact drop index {wire.gate}"


def open_gate(wire: Wire) -> str:
    """Return the command of tc that lets everything through."""
    return f"actions change action gact pipe index {wire.gate}"


def renew(wire: Wire, shape: LinkShape) -> Iterator[str]:
    """Commands of tc that forget what is held, and the statistics with it."""
    yield f"qdisc del dev {wire.transmitter} parent 1:1"
    yield from leaf(wire.transmitter, shape)
    yield f"qdisc del dev {wire.exit} root"
    yield f"qdisc add {_medium(wire, shape)}"


def unchangeable(old: LinkShape, new: LinkShape) -> str | None:
    """Why tc cannot get from one shape to another without losing what is in flight, or None."""
    if old.queueing != new.queueing:
        return QUEUEING_STAYS
    if (old.queue_bytes is None) != (new.queue_bytes is None):
        return "a queue in packets cannot become one in bytes, or the other way, during a run"
    if old.jitter_ms and new.jitter_ms and old.jitter_distribution != new.jitter_distribution:
        return "the distribution of the jitter cannot change during a run"
    return None


def _rate(wire: Wire, shape: LinkShape) -> str:
    # A frame more than its due is sent at most: the time of a late timer is made up for.
    burst = max(_FRAME_BYTES, round(shape.rate_bps / 8 * _BURST_S))
    return (
        f"dev {wire.transmitter} parent 1: classid 1:1 htb rate {round(shape.rate_bps)}bit "
        f"burst {burst} cburst {burst} quantum {_MTU_BYTES}"
    )


def _medium(wire: Wire, shape: LinkShape) -> str:
    # All of it each time: netem keeps what a change leaves out.
    words = [
        f"dev {wire.exit} root handle 1: netem limit {_IN_FLIGHT_LIMIT}",
        *_delay(shape),
        *_loss(shape),
        f"duplicate {shape.duplicate_percent:g}%",
        f"corrupt {shape.corrupt_percent:g}%",
    ]
    return " ".join(words)


def _delay(shape: LinkShape) -> Iterator[str]:
    yield f"delay {shape.delay_ms:g}ms"
    if not shape.jitter_ms:
        yield f"rate {round(shape.rate_bps)}bit"
        return
    yield f"{shape.jitter_ms:g}ms {shape.jitter_correlation_percent:g}%"
    if shape.jitter_distribution != "uniform":  # which is what netem does without a table
        yield f"distribution {shape.jitter_distribution}"
    # At the link's own rate, every frame behind a late one would be late too.
    yield f"rate {'0bit' if shape.reordering else _ORDER_KEEPING_RATE}"


def _loss(shape: LinkShape) -> Iterator[str]:
    share = shape.loss_percent / 100
    if shape.loss_burst_packets is None or not 0 < share < 1:
        yield f"loss {shape.loss_percent:g}%"
        return
    # The Gilbert model: all frames are lost in the bad state, none in the good one.
    enter, leave = gilbert(share, shape.loss_burst_packets)
    yield f"loss gemodel {100 * enter:.6g}% {100 * leave:.6g}% 100% 0%"

"""What can break in the emulated network, and what that makes of its links. Nothing is done here.

A condition follows from the set of faults that hold at one time, never from the order in which
they came: a link that is down while its switch is crashed stays down after the restart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import msgspec

from testbed.links.backend import LinkCondition
from topologies.model import DirectedLink, Link, LinkShape, Topology

RAMP_STEP_S = 0.1
"""A ramp is a staircase with steps of at most this length."""


class LinkDown(msgspec.Struct, frozen=True, tag="link-down"):
    """Both ends of a link lose carrier: both nodes are told."""

    link: DirectedLink


class EndDown(msgspec.Struct, frozen=True, tag="end-down"):
    """One end of a link loses carrier: only its node is told, yet no frame passes either way."""

    link: DirectedLink
    end: str


class Silent(msgspec.Struct, frozen=True, tag="silent"):
    """Frames in these directions vanish. Carrier stays: nobody is told."""

    directions: tuple[DirectedLink, ...]


class Degraded(msgspec.Struct, frozen=True, tag="degraded"):
    """A link loses, delays or holds back more than it should, the same in both directions.

    `share` of the way from the healthy link (0) to the given values (1). None: as it is.
    """

    link: DirectedLink
    loss_percent: float | None = None
    delay_ms: float | None = None
    rate_bps: float | None = None
    share: float = 1.0


class SwitchCrash(msgspec.Struct, frozen=True, tag="switch-crash"):
    """A switch is gone with its ports, flows and groups: its neighbours' ends lose carrier.

    Its own ends keep theirs: what is dead reports nothing.
    """

    switch: str


class HostCrash(msgspec.Struct, frozen=True, tag="host-crash"):
    """A host is gone with all its processes: its link loses carrier at both ends."""

    host: str


Fault = LinkDown | EndDown | Silent | Degraded | SwitchCrash | HostCrash


def conditions(topology: Topology, faults: Iterable[Fault]) -> dict[Link, LinkCondition]:
    """The condition of every link while all of `faults` hold."""
    ends: set[DirectedLink] = set()  # (node, neighbour): the node's end has no carrier
    silent: set[DirectedLink] = set()
    for fault in faults:
        match fault:
            case LinkDown(link=(a, b)):
                ends |= {(a, b), (b, a)}
            case EndDown(link=(a, b), end=end):
                ends.add((a, b) if end == a else (b, a))
            case Silent(directions=directions):
                silent |= set(directions)
            case SwitchCrash(switch=switch):
                ends |= {(node, to) for node, to in topology.link_between if to == switch}
            case HostCrash(host=host):
                ends |= {(host, topology.switch_of[host]), (topology.switch_of[host], host)}
            case Degraded():
                pass  # a matter of the link's shape
    return {link: _condition(link, ends, silent) for link in topology.links}


def _condition(link: Link, ends: set[DirectedLink], silent: set[DirectedLink]) -> LinkCondition:
    there, back = link.directions
    return LinkCondition(
        carrier=(there not in ends, back not in ends),
        passes=(there not in silent, back not in silent),
    )


def shapes(topology: Topology, faults: Iterable[Fault]) -> dict[Link, LinkShape]:
    """The shape of every link while all of `faults` hold; of several values the worst counts."""
    degraded: dict[Link, LinkShape] = {link: link.shape for link in topology.links}
    for fault in faults:
        if isinstance(fault, Degraded):
            link = topology.link_between[fault.link]
            degraded[link] = _worse(degraded[link], link.shape, fault)
    return degraded


def _worse(shape: LinkShape, healthy: LinkShape, fault: Degraded) -> LinkShape:
    def reached(good: float, bad: float | None) -> float:
        return good if bad is None else good + (bad - good) * fault.share

    return replace(
        shape,
        loss_percent=max(shape.loss_percent, reached(healthy.loss_percent, fault.loss_percent)),
        delay_ms=max(shape.delay_ms, reached(healthy.delay_ms, fault.delay_ms)),
        rate_bps=min(shape.rate_bps, reached(healthy.rate_bps, fault.rate_bps)),
    )


def ramp(worst: Degraded, over_s: float) -> Iterator[tuple[float, Degraded]]:
    """How a link gets to `worst`: (seconds after the begin, degradation from then on).

    Linear, in equal steps; all at once if `over_s` is 0.
    """
    steps = math.ceil(over_s / RAMP_STEP_S - 1e-9)
    if steps == 0:
        yield 0.0, worst
        return
    for step in range(steps + 1):
        yield over_s * step / steps, msgspec.structs.replace(worst, share=step / steps)


def crashed_switches(faults: Iterable[Fault]) -> frozenset[str]:
    """The switches that are gone."""
    return frozenset(fault.switch for fault in faults if isinstance(fault, SwitchCrash))


def crashed_hosts(faults: Iterable[Fault]) -> frozenset[str]:
    """The hosts that are gone."""
    return frozenset(fault.host for fault in faults if isinstance(fault, HostCrash))

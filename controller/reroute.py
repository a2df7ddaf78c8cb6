"""What a requested reroute must satisfy, and how long the old path has to be kept after it."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from itertools import pairwise

from controller.flows import Flow, Routed, pair_of
from controller.links import Links
from topologies.model import LinkShape, OdPair, Path, Split, Topology, Way
from topologies.paths import path_directions, propagation_delay_ms
from topologies.splits import paths_of

MOST_WEIGHT = 64
"""The most that the weights of a split may add up to: each unit is an entry."""

_SETTLE_S = 0.05
_FRAME_BITS = 8 * 1514  # a full Ethernet frame, without FCS


def refusal_reason(
    topology: Topology, links: Links, usable: AbstractSet[str], routed: Routed, way: Way
) -> str | None:
    """Why `routed` cannot be moved to `way` now; None when it can."""
    pair = pair_of(routed)
    if reason := unknown_pair(topology, pair) or _impossible(routed) or _uneven(way):
        return reason
    impossible = (_no_path(topology, pair, path) for path in paths_of(way))
    return next(filter(None, impossible), None) or obstacle(links, usable, way)


def _impossible(routed: Routed) -> str | None:
    if not isinstance(routed, Flow):
        return None
    ports = [port for port in (routed.src_port, routed.dst_port) if port is not None]
    if ports and all(0 <= port < 1 << 16 for port in ports):
        return None
    return "a flow has a source or a destination port of 0 to 65535"


def _uneven(way: Way) -> str | None:
    if not isinstance(way, Split):
        return None
    if len(set(paths_of(way))) < len(way.branches):
        return "the pair is split over one path twice"
    weights = [weight for _, weight in way.branches]
    if min(weights) < 1 or sum(weights) > MOST_WEIGHT:
        return f"weights are from 1 and add up to at most {MOST_WEIGHT}"
    return None


def _no_path(topology: Topology, pair: OdPair, path: Path) -> str | None:
    ends = topology.switch_of[pair[0]], topology.switch_of[pair[1]]
    known = {switch.name for switch in topology.switches}
    if unknown := next((name for name in path if name not in known), None):
        return f"there is no switch {unknown}"
    if not path or (path[0], path[-1]) != ends:
        return f"the path must lead from {ends[0]} to {ends[1]}"
    if len(set(path)) != len(path):
        return "the path visits a switch twice"
    if gap := next((hop for hop in pairwise(path) if hop not in topology.link_between), None):
        return f"there is no link {gap[0]}-{gap[1]}"
    return None


def unknown_pair(topology: Topology, pair: OdPair) -> str | None:
    """Why `pair` is not an OD pair, if it is none."""
    source, target = pair
    if source != target and {source, target} <= topology.switch_of.keys():
        return None
    return f"there is no OD pair {source} -> {target}"


def obstacle(links: Links, usable: AbstractSet[str], way: Way) -> str | None:
    """What keeps an otherwise valid way from being installed just now, if anything.

    `usable` are the switches that are connected and hold what they should.
    """
    for path in paths_of(way):
        if hop := links.dead_link_on(path):
            return f"the link {hop[0]}-{hop[1]} is down"
        if lost := next((switch for switch in path if switch not in usable), None):
            return f"{lost} is not connected"
    return None


def drain_s(topology: Topology, pair: OdPair, path: Path) -> float:
    """How long a packet may still be under way on `path` after its pair has left it.

    That is the propagation delay, a full queue of full frames before each core link, and
    something for the switches themselves.
    """
    shapes = [topology.link_between[hop].shape for hop in path_directions(path)]
    return _SETTLE_S + propagation_delay_ms(topology, pair, path) / 1e3 + _queued_s(shapes)


def longest_drain_s(topology: Topology) -> float:
    """As `drain_s`, of whatever path: none crosses more than every link."""
    shapes = [link.shape for link in topology.core_links]
    return _SETTLE_S + sum(shape.delay_ms for shape in shapes) / 1e3 + _queued_s(shapes)


def _queued_s(shapes: Iterable[LinkShape]) -> float:
    return sum((_queue_bits(shape) + _FRAME_BITS) / shape.rate_bps for shape in shapes)


def _queue_bits(shape: LinkShape) -> int:
    if shape.queue_bytes is not None:
        return 8 * shape.queue_bytes
    return shape.queue_packets * _FRAME_BITS

"""How long a failure silences host pairs: holes in dense probe streams, and what made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from controller.messages import OBSERVED, FromController, LinkState, RerouteDone, Routes
from results.timeline import Failure
from testbed.records import ProbeStream
from topologies.model import OdPair, Way
from topologies.splits import hops_of, paths_of

IN_FLIGHT_MS = 100.0
"""A hole that is still open when the stream ends, or the timeline goes on, counts from this length
on: below it may be nothing but the packets in flight at that instant."""

_NOT_CONFIRMED = ("snapshot", OBSERVED)
"""Causes of routes of which it is not said when they were confirmed."""

_EARLY_S = 0.1
"""A link's first end may be down, and reported, so long before both ends are (the fault)."""


@dataclass(frozen=True)
class Outage:
    """The longest hole in the stream of one host pair after one failure.

    The parts are times since the fault, None where the telemetry does not say.
    """

    pair: OdPair
    failure: Failure
    outage_ms: float
    """Length of the hole minus the spacing; of a hole that never ended, a lower bound."""
    recovered: bool
    detected_ms: float | None
    """A switch had reported the loss of carrier. Nobody reports a silent or degraded link."""
    applied_ms: float | None
    """The controller had confirmed new routes for the pair, in both directions if both broke."""
    first_good_ms: float | None
    """A packet was sent that arrived, after the hole."""


def outages(
    probes: Sequence[ProbeStream],
    telemetry: Sequence[FromController],
    failures: Iterable[Failure],
) -> list[Outage]:
    """Return an outage per failure and affected stream of purpose "outage".

    A stream is affected when the route of either of its ways crossed a direction that failed, at
    the instant of the fault, whether or not a packet was lost. Streams that start or end at a
    crashed switch are not: no routing could help them. Nor does any a crashed host's.
    """
    streams = [stream for stream in probes if stream.purpose == "outage"]
    found: list[Outage] = []
    for failure in failures:
        routing = routing_at(telemetry, failure.at_s)
        for stream in streams:
            both = (stream.pair, (stream.dst, stream.src))
            broken = {pair for pair in both if _breaks(failure, routing.get(pair, ()))}
            measured = _longest_hole(stream, failure) if broken else None
            if measured is not None:
                found.append(_outage(stream, failure, *measured, broken, telemetry))
    return found


def outage_ms(found: Sequence[Outage]) -> dict[str, float] | None:
    """Return p50, p95 and max, how many there were, and how many never recovered."""
    if not found:
        return None
    lengths = [outage.outage_ms for outage in found]
    return {
        "p50": float(np.percentile(lengths, 50)),
        "p95": float(np.percentile(lengths, 95)),
        "max": max(lengths),
        "n": len(found),
        "never_recovered": sum(not outage.recovered for outage in found),
    }


def outage_parts_ms(found: Sequence[Outage]) -> dict[str, float]:
    """Return the median time from the fault to each step of the recovery, as far as known."""
    steps: dict[str, list[float | None]] = {
        "detected": [outage.detected_ms for outage in found],
        "applied": [outage.applied_ms for outage in found],
        "first_good": [outage.first_good_ms for outage in found],
    }
    known = {name: [t for t in times if t is not None] for name, times in steps.items()}
    return {name: float(np.median(times)) for name, times in known.items() if times}


def first_reroute_ms(telemetry: Iterable[FromController], failure: Failure) -> float | None:
    """Return when, after the fault, the first requested reroute had been switched over."""
    for message in telemetry:
        if not isinstance(message, RerouteDone) or not message.applied:
            continue
        if failure.at_s <= message.received_s and message.switched_s < failure.until_s:
            return 1e3 * (message.switched_s - failure.at_s)
    return None


def routing_at(telemetry: Iterable[FromController], t_s: float) -> dict[OdPair, Way]:
    """Return the routes confirmed by `t_s`."""
    routing: dict[OdPair, Way] = {}
    for message in telemetry:
        if isinstance(message, Routes) and message.t_s <= t_s:
            routing.update({(route.src, route.dst): route.way for route in message.routes})
    return routing


def outage_document(outage: Outage) -> Mapping[str, Any]:
    """Return an outage as plain values."""
    return {
        "pair": list(outage.pair),
        "kind": outage.failure.kind,
        **outage.failure.subject,
        "outage_ms": outage.outage_ms,
        "recovered": outage.recovered,
        "detected_ms": outage.detected_ms,
        "applied_ms": outage.applied_ms,
        "first_good_ms": outage.first_good_ms,
    }


def _crosses(way: Way, failure: Failure) -> bool:
    return any(hop in failure.directions for hop in hops_of(way))


def _breaks(failure: Failure, way: Way) -> bool:
    path = paths_of(way)[0]
    ends_there = failure.subject.get("switch") in (path[:1] + path[-1:])
    return _crosses(way, failure) and not ends_there


@dataclass(frozen=True)
class _Hole:
    from_s: float
    to_s: float

    @property
    def length_s(self) -> float:
        return self.to_s - self.from_s


def _holes(
    sent_s: Sequence[float], delays: Sequence[float | None], since_s: float, end_s: float
) -> tuple[list[_Hole], _Hole]:
    """Return the spans without arrivals that reach past `since_s`: the closed ones, the open one.

    A hole begins with the last packet that arrived, which may have been sent before the fault:
    what was on the failed link was lost as well. The open one lasts until `end_s`.
    """
    good = [t for t, delay in zip(sent_s, delays, strict=True) if delay is not None and t < end_s]
    closed = [_Hole(earlier, later) for earlier, later in pairwise(good) if later >= since_s]
    return closed, _Hole(good[-1] if good else since_s, end_s)


def _longest_hole(stream: ProbeStream, failure: Failure) -> tuple[_Hole, bool] | None:
    """Return the longest hole of both ways, and whether the stream had recovered in the end.

    None if the stream was not running at the fault, or the timeline went on before it could tell.
    """
    if not stream.sent_s or not stream.sent_s[0] <= failure.at_s < stream.sent_s[-1]:
        return None
    end_s = min(failure.until_s, stream.sent_s[-1] + stream.spacing_ms / 1e3)
    candidates: list[_Hole] = []
    recovered = True
    for way in (stream.forward_ms, stream.backward_ms):
        closed, still_open = _holes(stream.sent_s, way, failure.at_s, end_s)
        candidates += closed
        if 1e3 * still_open.length_s - stream.spacing_ms > IN_FLIGHT_MS:
            candidates.append(still_open)
            recovered = False
    longest = max(candidates, key=lambda hole: hole.length_s, default=None)
    return None if longest is None else (longest, recovered)


def _outage(
    stream: ProbeStream,
    failure: Failure,
    hole: _Hole,
    recovered: bool,
    broken: set[OdPair],
    telemetry: Iterable[FromController],
) -> Outage:
    detected_s: float | None = None
    applied_s: float | None = None
    waiting = set(broken)
    for message in telemetry:
        if not failure.at_s - _EARLY_S <= message.t_s < failure.until_s:
            continue
        if isinstance(message, LinkState) and not message.up and detected_s is None:
            if (message.datapath, message.neighbour) in failure.directions:
                detected_s = message.t_s
        elif isinstance(message, Routes) and message.cause not in _NOT_CONFIRMED and waiting:
            waiting -= {(r.src, r.dst) for r in message.routes if not _crosses(r.way, failure)}
            applied_s = None if waiting else message.t_s

    def since_fault_ms(t_s: float | None) -> float | None:
        return None if t_s is None else max(0.0, 1e3 * (t_s - failure.at_s))

    return Outage(
        pair=stream.pair,
        failure=failure,
        outage_ms=max(0.0, 1e3 * (hole.to_s - hole.from_s) - stream.spacing_ms),
        recovered=recovered,
        detected_ms=since_fault_ms(detected_s),
        applied_ms=since_fault_ms(applied_s),
        first_good_ms=since_fault_ms(hole.to_s) if recovered else None,
    )

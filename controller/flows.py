"""Single flows of an OD pair, which may have a path of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from controller.messages import FlowRoute, Route, Routes, route_of
from topologies.model import OdPair, Way
from topologies.splits import paths_of

Protocol = Literal["tcp", "udp"]


@dataclass(frozen=True)
class Flow:
    """The IPv4 packets of a pair with this protocol and these ports; None: any port."""

    pair: OdPair
    protocol: Protocol
    src_port: int | None = None
    dst_port: int | None = None


Routed = OdPair | Flow
"""What has a route: a whole pair (but for those of its flows that have one), or a flow."""


def pair_of(routed: Routed) -> OdPair:
    """The pair itself, or that of a flow."""
    return routed.pair if isinstance(routed, Flow) else routed


def flow_of(route: FlowRoute) -> Flow:
    """The flow that a message speaks of."""
    return Flow((route.src, route.dst), route.protocol, route.src_port, route.dst_port)


def pair_routes(ways: Mapping[Routed, Way]) -> tuple[Route, ...]:
    """The pairs among `ways`, as messages tell them."""
    return tuple(route_of(t, way) for t, way in ways.items() if not isinstance(t, Flow))


def flow_routes(ways: Mapping[Routed, Way]) -> tuple[FlowRoute, ...]:
    """The flows among `ways`, as messages tell them: one without a path goes as its pair."""
    flows = ((t, paths_of(way)[0]) for t, way in ways.items() if isinstance(t, Flow))
    return tuple(
        FlowRoute(*flow.pair, flow.protocol, path, flow.src_port, flow.dst_port)
        for flow, path in flows
    )


def routes_now(t_s: float, cause: str, ways: Mapping[Routed, Way]) -> Routes:
    """The message that `ways` are installed and confirmed."""
    return Routes(t_s=t_s, cause=cause, routes=pair_routes(ways), flows=flow_routes(ways))

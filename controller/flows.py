"""Single flows of an OD pair, which may have a path of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from controller.messages import FlowRoute
from topologies.model import OdPair, Path

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


def flow_route(flow: Flow, path: Path) -> FlowRoute:
    """A flow and its path as a message tells them; without a path it goes as its pair."""
    return FlowRoute(*flow.pair, flow.protocol, path, flow.src_port, flow.dst_port)

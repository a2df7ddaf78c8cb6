"""Where every pair's packets go now, since when, and why: from the messages of a controller."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from controller.messages import FromController, Hello, LinkState, Routes
from topologies.model import DirectedLink, OdPair, Way
from topologies.splits import hops_of


@dataclass(frozen=True)
class PlacedRoute:
    """The way of one pair."""

    way: Way
    cause: str
    """Of the last change; see `controller.messages.Routes`."""
    changed_s: float
    """When that was confirmed, on CLOCK_MONOTONIC."""


@dataclass
class RouteHistory:
    """The newest route of every pair, and the ports that are down."""

    routes: dict[OdPair, PlacedRoute] = field(default_factory=dict)
    _down_ports: set[DirectedLink] = field(default_factory=set)

    def take(self, messages: Iterable[FromController]) -> None:
        """Take in messages in the order of their sending.

        Those of a snapshot, or adopted, say where a pair is, not when and why it came there.
        """
        for message in messages:
            if isinstance(message, Hello):
                self._down_ports.clear()  # those that are down are told anew
            elif isinstance(message, LinkState):
                port = (message.datapath, message.neighbour)
                (self._down_ports.discard if message.up else self._down_ports.add)(port)
            elif isinstance(message, Routes):
                for route in message.routes:
                    new = PlacedRoute(route.way, message.cause, message.t_s)
                    before = self.routes.get((route.src, route.dst))
                    found = message.cause in ("snapshot", "adoption")
                    if found and before and before.way == route.way:
                        new = before
                    self.routes[route.src, route.dst] = new

    def dead_link_on(self, way: Way) -> DirectedLink | None:
        """The first link that `way` crosses and that is down at either end."""
        return next((hop for hop in hops_of(way) if self._is_down(hop)), None)

    def _is_down(self, hop: DirectedLink) -> bool:
        return hop in self._down_ports or hop[::-1] in self._down_ports

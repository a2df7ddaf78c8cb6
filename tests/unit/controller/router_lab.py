"""A router on fake switches, and what tests have it do."""

from __future__ import annotations

from typing import TypeVar

from fake_network import FakeNetwork, ring

from controller.flow_entries import FlowEntry
from controller.installation import UNPROTECTED
from controller.messages import (
    FlowRoute,
    FromClient,
    Message,
    Ready,
    Reroute,
    RerouteDone,
    Route,
    Routes,
)
from controller.router import WAIT_TO_RESTORE_S, Router
from topologies.detours import detours
from topologies.model import Topology

M = TypeVar("M", bound=Message)

DRAINED_S = 10.0
"""Longer than any drain."""

RING = ring(5)

DETOUR = Route("h0", "h1", ("s0", "s4", "s3", "s2", "s1"))
"""The long way round the ring."""


class RouterLab:
    """One controller after the other over the same switches."""

    def __init__(
        self,
        topology: Topology = RING,
        protected: bool = False,
        equal_cost: bool = False,
        seed: int = 0,
    ) -> None:
        self.topology = topology
        self.network = FakeNetwork(topology, seed)
        self.messages: list[Message] = []
        self.detours = detours(topology) if protected else UNPROTECTED
        self._equal_cost = equal_cost
        self.start()

    # --- what it does ---------------------------------------------------------------------------

    def start(self) -> None:
        """Kill the controller, if there is one, and start the next."""
        self.network.kill_controller()
        self.messages.clear()
        self.router = Router(
            self.topology,
            "delay",
            self.network,
            self.messages.append,
            self.network.defer,
            self.network.clock,
            self.detours,
            self._equal_cost,
        )

    def connect_all(self) -> RouterLab:
        """Connect every switch that is there."""
        for switch in self.topology.switches:
            if switch.name in self.network.connected:
                self.router.switch_connected(switch.name)
        self.router.work()
        return self

    def lose(self, switch: str) -> None:
        """Take a switch away from the controller; it goes on forwarding."""
        self.network.connected.remove(switch)
        self.router.switch_lost()
        self.router.work()

    def regain(self, switch: str) -> None:
        """Have a switch connect that was away."""
        self.network.connected.add(switch)
        self.router.switch_connected(switch)
        self.router.work()

    def link(self, a: str, b: str, up: bool) -> None:
        """Have a link die or come up, and both of its ends report it."""
        (self.network.dead.discard if up else self.network.dead.add)(frozenset((a, b)))
        for ends in ((a, b), (b, a)):
            self.report(*ends, up=up)

    def report(self, switch: str, neighbour: str, up: bool) -> None:
        """Have one end of a link report it, whatever the link does."""
        self.router.set_port(switch, neighbour, up=up)
        self.router.work()

    def ask(self, request: FromClient) -> None:
        """Request something, and have it carried out."""
        self.router.request(request)
        self.router.work()

    def reroute(self, *moves: Route, flows: tuple[FlowRoute, ...] = ()) -> RerouteDone:
        """Request moves, and have them carried out to the end."""
        self.ask(Reroute("r", moves, flows))
        self.network.pass_time(DRAINED_S)
        return self.last(RerouteDone)

    def settle(self) -> None:
        """Let the network be quiet until pairs have returned and switches are cleaned."""
        self.network.pass_time(WAIT_TO_RESTORE_S)
        while self.router.work() == 0.0:
            pass
        self.network.pass_time(DRAINED_S)

    def rest(self) -> None:
        """Have it do all that it wants to do by itself."""
        while (wait_s := self.router.work()) is not None:
            self.network.pass_time(wait_s)
        self.network.pass_time(DRAINED_S)

    # --- what came of it ------------------------------------------------------------------------

    def is_ready(self) -> bool:
        """Whether this controller has said so."""
        return any(isinstance(message, Ready) for message in self.messages)

    def last(self, kind: type[M]) -> M:
        """The last message of a kind."""
        return [message for message in self.messages if isinstance(message, kind)][-1]

    def causes(self) -> list[str]:
        """Why routes have changed, each time."""
        return [message.cause for message in self.messages if isinstance(message, Routes)]

    def path(self, source: str, target: str) -> str:
        """The switches that a packet crosses."""
        return " ".join(self.network.walk((source, target)))

    def walk_all(self) -> None:
        """Raise LostError if a packet of any pair would be lost just now."""
        for pair in self.topology.od_pairs:
            self.network.walk(pair)

    def held(self) -> set[FlowEntry]:
        """Every entry of every switch."""
        return {entry for name, table in self.network.tables.items() for entry in table.of(name)}

    def route_entries(self) -> set[FlowEntry]:
        """Every entry that a route has."""
        routes = (route.entries for route in self.router.installation.routes.values())
        return {entry for route in routes for entry in (route.ingress, *route.behind)}

    def needed_entries(self) -> int:
        """How many entries all routes have together."""
        return len(self.route_entries())

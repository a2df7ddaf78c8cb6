"""Keeps every OD pair on a living path: the baseline, restorations, requested reroutes, drops.

The router compares what is (links, connections, routes) with what should be, so it does not
matter in which order news arrives, or that both ends of a link report the same failure. Its work
is done by one caller at a time: whatever happens meanwhile is seen by the next round.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet

from msgspec.structs import replace

from controller.flows import Flow, Routed, pair_routes, routes_now
from controller.installation import UNPROTECTED, Installation, Switches
from controller.links import Links
from controller.messages import (
    DroppedPair,
    FromClient,
    Message,
    Ready,
    Routes,
)
from controller.moves import Moved
from controller.requests import Requests
from controller.reroute import longest_drain_s, obstacle
from controller.retries import Retries
from topologies.detours import Detour, Hop
from topologies.model import DirectedLink, OdPair, Topology, Way, Ways
from topologies.paths import Weight, shortest_paths
from topologies.splits import equal_cost_ways, paths_of

WAIT_TO_RESTORE_S = 1.0
"""How long the network has to be quiet before pairs return to their shortest paths."""

PATIENCE_S = 3.0
"""How long the first switch that connects waits for the others, until what an earlier controller
has left in those that are there is taken over. A switch tries to connect once a second."""

_logger = logging.getLogger(__name__)


class Router:
    """Decides which pair goes where. `defer(delay_s, call)` runs `call` beside other work.

    With `equal_cost`, pairs that no client has placed are split over all paths of fewest hops.
    """

    def __init__(
        self,
        topology: Topology,
        weight: Weight,
        switches: Switches,
        publish: Callable[[Message], None],
        defer: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float] = time.monotonic,
        detours: Mapping[Hop, Detour] = UNPROTECTED,
        equal_cost: bool = False,
    ) -> None:
        self.links = Links(topology)
        self.installation = Installation(topology, switches, defer, clock, detours)
        self.ready: Ready | None = None
        self.serving = False
        """Whether requests are carried out: ready, or as ready as can be while switches are away.
        """
        self._topology = topology
        self._names = frozenset(switch.name for switch in topology.switches)
        self._weight: Weight = weight
        self._equal_cost = equal_cost
        self._switches = switches
        self._publish = publish
        self._clock = clock
        self._waiting: deque[tuple[float, FromClient]] = deque()
        self._requests = Requests(
            topology, self.links, self.installation, self._usable, publish, clock
        )
        self._adopted = False
        self._patience_s: float | None = None
        """Until when all switches are waited for; None: none has connected."""
        self._repair_due = False
        self._to_fill: set[str] = set()
        self._retries = Retries()
        self._to_clean: set[str] = set()
        self._settle_s: float | None = None
        self._clean_from_s = 0.0

    # --- news, noted at once; `work` acts on it ---------------------------------------------

    def switch_connected(self, switch: str) -> None:
        """`switch` can be programmed; it may hold all, some or none of its entries."""
        self._to_fill.add(switch)
        self._retries.forget(switch)
        if self._patience_s is None:
            self._patience_s = self._clock() + PATIENCE_S
        self._disturbed()

    def switch_lost(self) -> None:
        """A switch cannot be programmed any more; it goes on forwarding as it was."""
        self._repair_due = True

    def set_port(self, switch: str, neighbour: str, up: bool) -> bool:
        """Note what a switch reports of a port; return whether that is news."""
        news = self.links.set_port(switch, neighbour, up)
        if news and self.links.is_core(switch, neighbour):  # no path depends on a host's port
            self._disturbed()
        return news

    def request(self, request: FromClient) -> None:
        """Note what a client wants."""
        self._waiting.append((self._clock(), request))

    def _disturbed(self) -> None:
        self._repair_due = True
        self._settle_s = self._clock() + WAIT_TO_RESTORE_S

    # --- work ---------------------------------------------------------------------------------

    def work(self) -> float | None:
        """Do all that is due. Return in how many seconds there is more, None if not by itself."""
        self._refresh()
        while self._waiting:
            self._requests.carry_out(*self._waiting.popleft(), self.serving)
            self._refresh()
        wait_s = self._settle()
        return 0.0 if self._try_again() else wait_s

    def snapshot(self) -> Routes:
        """All confirmed routes, and what is dropped."""
        routes = routes_now(self._clock(), "snapshot", self.installation.confirmed())
        return replace(routes, dropped=self._dropped)

    def _refresh(self) -> None:
        """Fill switches that have come back, and give every pair a living path if there is one."""
        # While one is filled, another may come: routes need the groups of every switch.
        while filling := self._to_fill & self._switches.connected:
            self._to_fill -= filling
            self._to_clean |= filling
            self._announce("restoration", self.installation.fill(filling))
        self._adopted = self._adopted or not self.installation.unread or self._patience_left() == 0
        if self._adopted and self.installation.found:
            self._adopt()
        if self._repair_due and self._adopted:
            self._repair_due = False
            # Links that were dead lately, too: nothing relies on them yet that has another way.
            self.installation.avoid(self.installation.avoided | self.links.dead)
            self._repair()

    def _adopt(self) -> None:
        """Take over what an earlier controller has left, and tell it."""
        told = replace(
            routes_now(self._clock(), "adoption", self.installation.adopt()), dropped=self._dropped
        )
        if told.routes or told.flows or told.dropped:
            self._publish(told)

    @property
    def _dropped(self) -> tuple[DroppedPair, ...]:
        return tuple(DroppedPair(*pair) for pair in self.installation.dropped)

    def _patience_left(self) -> float | None:
        """How long the others are waited for; None: for ever."""
        return None if self._patience_s is None else max(0.0, self._patience_s - self._clock())

    def _try_again(self) -> bool:
        """Whether connected switches are to be filled, some that have not confirmed something."""
        lacking = {s: why for s, why in self.installation.lacking.items() if s in self._usable()}
        if again := self._retries.due(lacking):
            self._to_fill.update(again)
            self._repair_due = True
        return bool(self._to_fill & self._switches.connected)

    def _repair(self) -> None:
        self._release_dead_flows()
        broken = [pair for pair in self._topology.od_pairs if not self._lives(pair)]
        moved = self._move_freely(self._shortest(broken) if broken else {})
        self.installation.give_up_unfollowed()
        # Links that are dead as yet may come up soon: BFD sessions have to meet first.
        settled = not self.installation.avoided or self._settle_s is None
        everywhere = not moved.failed and self._everybody_has_all()
        if self.ready is None and settled and everywhere:
            self._settle_s = self._clock() + WAIT_TO_RESTORE_S
            # Packets may be under way on routes of an earlier controller that were not adopted.
            self._clean_from_s = self._clock() + longest_drain_s(self._topology)
            self.serving = True
            self.ready = Ready(
                t_s=self._clock(),
                datapaths=len(self._names),
                routes=len(pair_routes(self.installation.confirmed())),
            )
            self._publish(self.ready)

    def _everybody_has_all(self) -> bool:
        return (
            self._switches.connected >= self._names
            and not self._to_fill
            and not self.installation.lacking
        )

    def _settle(self) -> float | None:
        """Once the network has been quiet: back to shortest paths, and away with old entries."""
        if not self._adopted:
            return self._patience_left()
        if self._settle_s is not None:
            if (wait_s := self._settle_s - self._clock()) > 0:
                return wait_s
            self._settle_s = None
            # A switch that has not been here yet may know of a dead link.
            unknown = self.links.around(self.installation.unread)
            self.installation.avoid(self.links.dead | (self.installation.avoided & unknown))
            self._return()
            if self.ready is None:
                self.serving = True
                self._repair_due = True
                return 0.0
        if self.ready is None:
            return None
        # One switch at a time, so that news need not wait for all of them.
        if cleaning := sorted(self._to_clean & self._switches.connected):
            if (wait_s := self._clean_from_s - self._clock()) > 0:
                return wait_s
            self._to_clean.remove(cleaning[0])
            self.installation.clean(cleaning[0])
        return 0.0 if cleaning or self._repair_due or self._waiting else None

    def _return(self) -> None:
        """Move the pairs that no client has placed to their shortest paths."""
        routes = self.installation.routes
        free = [pair for pair in self._topology.od_pairs if self._is_free(pair)]
        shortest = self._shortest(free).items()
        self._move_freely({pair: way for pair, way in shortest if way != routes[pair].way})

    def _is_free(self, pair: OdPair) -> bool:
        route = self.installation.routes.get(pair)
        return route is not None and not route.requested

    def _lives(self, routed: Routed) -> bool:
        """Whether all of its paths do: a split that has lost one is made anew."""
        route = self.installation.routes.get(routed)
        return route is not None and not any(map(self.links.dead_link_on, paths_of(route.way)))

    def _shortest(self, pairs: Iterable[OdPair]) -> dict[Routed, Way]:
        """Shortest living ways of `pairs` over usable switches, where there is one."""
        lost = self._names - self._usable()
        down = self.links.dead | self.links.around(lost)
        ways = self._ways(down)
        if avoided := self.installation.avoided - down:  # where there is another way
            ways = {**ways, **self._ways(down | avoided)}
        return {
            pair: ways[pair]
            for pair in pairs
            if pair in ways and all(map(lost.isdisjoint, paths_of(ways[pair])))
        }

    def _ways(self, down: frozenset[DirectedLink]) -> Ways:
        if self._equal_cost:
            return equal_cost_ways(self._topology, down)
        return shortest_paths(self._topology, self._weight, down)

    def _usable(self) -> AbstractSet[str]:
        """Switches that can be programmed, and have been given what they lack."""
        return self._switches.connected - self._to_fill

    def _release_dead_flows(self) -> None:
        """Flows whose own path is dead go as their pairs."""
        flows = [t for t in self.installation.routes if isinstance(t, Flow)]
        released = self.installation.release(f for f in flows if not self._lives(f))
        self._announce("restoration", released.applied)
        self.installation.retire(released.leftovers)

    def _move_freely(self, targets: Mapping[Routed, Way]) -> Moved:
        """Moves that no client asked for."""
        moved = self.installation.move(targets, requested=False, obstacle=self._obstacle)
        self._announce("restoration" if self.ready else "baseline", moved.applied)
        self.installation.retire(moved.leftovers)
        for reason in sorted(set(moved.failed.values())):
            _logger.warning("some pairs keep their old path: %s", reason)
        return moved

    def _obstacle(self, way: Way) -> str | None:
        return obstacle(self.links, self._usable(), way)

    def _announce(self, cause: str, ways: Mapping[Routed, Way]) -> None:
        if ways:
            self._publish(routes_now(self._clock(), cause, ways))

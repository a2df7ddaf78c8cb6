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

from controller.installation import UNPROTECTED, Installation, Moved, Switches
from controller.links import Links
from controller.messages import (
    Allow,
    Drop,
    DropDone,
    FromClient,
    Message,
    Ready,
    Refusal,
    Reroute,
    RerouteDone,
    Route,
    Routes,
)
from controller.reroute import longest_drain_s, obstacle, refusal_reason, unknown_pair
from topologies.detours import Detour, Hop
from topologies.model import OdPair, Path, Topology
from topologies.paths import Weight, shortest_paths

WAIT_TO_RESTORE_S = 1.0
"""How long the network has to be quiet before pairs return to their shortest paths."""

_logger = logging.getLogger(__name__)


class Router:
    """Decides which pair goes where. `defer(delay_s, call)` runs `call` beside other work."""

    def __init__(
        self,
        topology: Topology,
        weight: Weight,
        switches: Switches,
        publish: Callable[[Message], None],
        defer: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float] = time.monotonic,
        detours: Mapping[Hop, Detour] = UNPROTECTED,
    ) -> None:
        self.links = Links(topology)
        self.installation = Installation(topology, switches, defer, clock, detours)
        self.ready: Ready | None = None
        self._topology = topology
        self._names = frozenset(switch.name for switch in topology.switches)
        self._weight: Weight = weight
        self._switches = switches
        self._publish = publish
        self._clock = clock
        self._requests: deque[tuple[float, FromClient]] = deque()
        self._all_seen = False
        self._repair_due = False
        self._to_fill: set[str] = set()
        self._to_clean: set[str] = set()
        self._settle_s: float | None = None
        self._clean_from_s = 0.0

    # --- news, noted at once; `work` acts on it ---------------------------------------------

    def switch_connected(self, switch: str) -> None:
        """`switch` can be programmed; it may hold all, some or none of its entries."""
        self._to_fill.add(switch)
        self._disturbed()

    def switch_lost(self) -> None:
        """A switch cannot be programmed any more; it goes on forwarding as it was."""
        self._repair_due = True

    def set_port(self, switch: str, neighbour: str, up: bool) -> bool:
        """Note what a switch reports of a port; return whether that is news."""
        news = self.links.set_port(switch, neighbour, up)
        if news:
            self._disturbed()
        return news

    def request(self, request: FromClient) -> None:
        """Note what a client wants."""
        self._requests.append((self._clock(), request))

    def _disturbed(self) -> None:
        self._repair_due = True
        self._settle_s = self._clock() + WAIT_TO_RESTORE_S

    # --- work ---------------------------------------------------------------------------------

    def work(self) -> float | None:
        """Do all that is due. Return in how many seconds there is more, None if not by itself."""
        self._refresh()
        while self._requests:
            self._carry_out(*self._requests.popleft())
            self._refresh()
        return self._settle()

    def snapshot(self) -> Routes:
        """All confirmed routes."""
        return self._routes("snapshot", self.installation.confirmed())

    def _refresh(self) -> None:
        """Fill switches that have come back, and give every pair a living path if there is one."""
        # While one is filled, another may come: routes need the groups of every switch.
        while filling := self._to_fill & self._switches.connected:
            self._to_fill -= filling
            self._to_clean |= filling
            self._announce("restoration", self.installation.fill(filling))
        if not self._all_seen and self._switches.connected >= self._names:
            adopted = self.installation.adopt()
            self._all_seen = adopted is not None
            self._announce("adoption", adopted or {})
        if self._repair_due and self._all_seen:
            self._repair_due = False
            # Links that were dead lately, too: nothing may rely on them yet.
            self.installation.avoid(self.installation.avoided | self.links.dead)
            self._repair()

    def _repair(self) -> None:
        broken = [pair for pair in self._topology.od_pairs if not self._lives(pair)]
        moved = self._move_freely(self._shortest(broken) if broken else {})
        # Links that are dead as yet may come up soon: BFD sessions have to meet first.
        settled = not self.installation.avoided or self._settle_s is None
        everywhere = not moved.failed and self._switches.connected >= self._names
        if self.ready is None and settled and everywhere:
            self._settle_s = self._clock() + WAIT_TO_RESTORE_S
            # Packets may be under way on routes of an earlier controller that were not adopted.
            self._clean_from_s = self._clock() + longest_drain_s(self._topology)
            self.ready = Ready(
                t_s=self._clock(),
                datapaths=len(self._names),
                routes=len(self.installation.routes),
            )
            self._publish(self.ready)

    def _settle(self) -> float | None:
        """Once the network has been quiet: back to shortest paths, and away with old entries."""
        # Before, a switch that is not here yet may know of a dead link.
        if self._settle_s is not None and self._all_seen:
            if (wait_s := self._settle_s - self._clock()) > 0:
                return wait_s
            self._settle_s = None
            self.installation.avoid(self.links.dead)
            self._return()
            if self.ready is None:
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
        return 0.0 if cleaning or self._repair_due or self._requests else None

    def _return(self) -> None:
        """Move the pairs that no client has placed to their shortest paths."""
        routes = self.installation.routes
        free = [pair for pair, route in routes.items() if not route.requested]
        shortest = self._shortest(free).items()
        self._move_freely({pair: path for pair, path in shortest if path != routes[pair].path})

    def _lives(self, pair: OdPair) -> bool:
        route = self.installation.routes.get(pair)
        return route is not None and self.links.dead_link_on(route.path) is None

    def _shortest(self, pairs: Iterable[OdPair]) -> dict[OdPair, Path]:
        """Shortest living paths of `pairs` over connected switches, where there is one."""
        lost = self._names - self._switches.connected
        down = self.links.dead | self.links.around(lost)
        paths = shortest_paths(self._topology, self._weight, down)
        return {p: paths[p] for p in pairs if p in paths and lost.isdisjoint(paths[p])}

    def _move_freely(self, targets: Mapping[OdPair, Path]) -> Moved:
        """Moves that no client asked for."""
        moved = self.installation.move(targets, requested=False, obstacle=self._obstacle)
        self._announce("restoration" if self.ready else "baseline", moved.applied)
        self.installation.retire(moved.leftovers)
        for reason in sorted(set(moved.failed.values())):
            _logger.warning("some pairs keep their old path: %s", reason)
        return moved

    def _obstacle(self, path: Path) -> str | None:
        return obstacle(self.links, self._switches.connected, path)

    # --- requests -----------------------------------------------------------------------------

    def _carry_out(self, received_s: float, request: FromClient) -> None:
        if isinstance(request, Reroute):
            self._reroute(received_s, request)
        else:
            self._filter(received_s, request)

    def _reroute(self, received_s: float, request: Reroute) -> None:
        refused: list[Refusal] = []
        targets: dict[OdPair, Path] = {}
        for wish in request.moves:
            pair = (wish.src, wish.dst)
            if reason := self._refusal(pair, wish.path, targets):
                refused.append(Refusal(*pair, reason))
            else:
                targets[pair] = wish.path
        moved = self.installation.move(targets, requested=True, obstacle=self._obstacle)
        refused += [Refusal(*pair, reason) for pair, reason in moved.failed.items()]
        self._announce("request", moved.applied)

        def removed() -> None:
            now_s = self._clock()
            self._publish(
                RerouteDone(
                    t_s=now_s,
                    request_id=request.request_id,
                    received_s=received_s,
                    installed_s=moved.installed_s,
                    switched_s=moved.switched_s,
                    removed_s=now_s,
                    applied=_as_routes(moved.applied),
                    refused=tuple(refused),
                )
            )

        self.installation.retire(moved.leftovers, then=removed)

    def _refusal(self, pair: OdPair, path: Path, targets: Mapping[OdPair, Path]) -> str | None:
        if self.ready is None:
            return "the controller is not ready"
        if pair in targets:
            return "the pair is moved twice in one request"
        return refusal_reason(self._topology, self.links, self._switches.connected, pair, path)

    def _filter(self, received_s: float, request: Drop | Allow) -> None:
        pair = (request.src, request.dst)
        reason = unknown_pair(self._topology, pair) or self.installation.drop(
            pair, dropped=isinstance(request, Drop)
        )
        now_s = self._clock()
        self._publish(
            DropDone(
                t_s=now_s,
                request_id=request.request_id,
                received_s=received_s,
                applied_s=now_s,
                reason=reason,
            )
        )

    def _announce(self, cause: str, paths: Mapping[OdPair, Path]) -> None:
        if paths:
            self._publish(self._routes(cause, paths))

    def _routes(self, cause: str, paths: Mapping[OdPair, Path]) -> Routes:
        return Routes(t_s=self._clock(), cause=cause, routes=_as_routes(paths))


def _as_routes(paths: Mapping[OdPair, Path]) -> tuple[Route, ...]:
    return tuple(Route(*pair, path) for pair, path in paths.items())

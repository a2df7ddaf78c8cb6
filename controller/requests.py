"""What clients ask for, carried out and answered."""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Set as AbstractSet

from controller.flows import Flow, Routed, flow_of, flow_routes, pair_of, pair_routes, routes_now
from controller.installation import Installation
from controller.links import Links
from controller.messages import (
    Allow,
    Drop,
    DropDone,
    FromClient,
    Message,
    Refusal,
    Reroute,
    RerouteDone,
)
from controller.reroute import obstacle, refusal_reason, unknown_pair
from topologies.model import Topology, Way


class Requests:
    """Changes `installation` as clients want. `usable()` are the switches that a path may cross."""

    def __init__(
        self,
        topology: Topology,
        links: Links,
        installation: Installation,
        usable: Callable[[], AbstractSet[str]],
        publish: Callable[[Message], None],
        clock: Callable[[], float],
    ) -> None:
        self._topology = topology
        self._links = links
        self._installation = installation
        self._usable = usable
        self._publish = publish
        self._clock = clock

    def carry_out(self, received_s: float, request: FromClient, serving: bool) -> None:
        """Do what is asked for, as far as it can be done, and publish the answer."""
        if isinstance(request, Reroute):
            self._reroute(received_s, request, serving)
        else:
            self._filter(received_s, request)

    def _reroute(self, received_s: float, request: Reroute, serving: bool) -> None:
        refused: list[Refusal] = []
        targets: dict[Routed, Way] = {}
        released: list[Flow] = []
        wishes: list[tuple[Routed, Way]] = [((w.src, w.dst), w.way) for w in request.moves]
        wishes += [(flow_of(wish), wish.path) for wish in request.flows]
        moving: set[Routed] = set()
        for routed, way in wishes:
            if reason := self._refusal(routed, way, moving, serving):
                refused.append(Refusal(*pair_of(routed), reason))
                continue
            moving.add(routed)
            if isinstance(routed, Flow) and not way:
                released.append(routed)
            else:
                targets[routed] = way
        moved = self._installation.move(targets, requested=True, obstacle=self._obstacle)
        moved += self._installation.release(released)
        refused += [Refusal(*pair_of(routed), why) for routed, why in moved.failed.items()]
        if moved.applied:
            self._publish(routes_now(self._clock(), "request", moved.applied))

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
                    applied=pair_routes(moved.applied),
                    applied_flows=flow_routes(moved.applied),
                    refused=tuple(refused),
                )
            )

        self._installation.retire(moved.leftovers, then=removed)

    def _refusal(
        self, routed: Routed, way: Way, others: Collection[Routed], serving: bool
    ) -> str | None:
        if not serving:
            return "the controller is not ready"
        if routed in others:
            return "the pair is moved twice in one request"
        if isinstance(routed, Flow) and not way:
            has_path = routed in self._installation.routes
            return None if has_path else "the flow has no path of its own"
        return refusal_reason(self._topology, self._links, self._usable(), routed, way)

    def _obstacle(self, way: Way) -> str | None:
        return obstacle(self._links, self._usable(), way)

    def _filter(self, received_s: float, request: Drop | Allow) -> None:
        pair = (request.src, request.dst)
        reason = unknown_pair(self._topology, pair) or self._installation.drop(
            pair, dropped=isinstance(request, Drop)
        )
        now_s = self._clock()
        self._publish(
            DropDone(
                t_s=now_s,
                request_id=request.request_id,
                src=request.src,
                dst=request.dst,
                dropped=pair in self._installation.dropped,
                received_s=received_s,
                applied_s=now_s,
                reason=reason,
            )
        )

"""Detours as groups and flow entries: the part of protection that the switches do by themselves.

Every hop that can be led round has a group in the switch before it, whose first bucket is the hop
and whose second pushes the detour's tag and goes round. Tagged packets follow the tag; the last
switch of the detour takes it off and looks the packet up by its label, as if it had come by the
path. A detour has no detour of its own, so no packet can loop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import pairwise

from controller.flow_entries import FlowEntry, detour_end, detour_transit
from controller.groups import Bucket, Group
from topologies.addressing import Addressing
from topologies.detours import Detour, Hop
from topologies.model import DirectedLink


class Protection:
    """The groups and entries of some detours; without any, none."""

    def __init__(self, addressing: Addressing, detours: Mapping[Hop, Detour]) -> None:
        self._addressing = addressing
        self._detours = detours
        self._hops: defaultdict[str, list[Hop]] = defaultdict(list)
        """By the switch before them."""
        self._numbers: dict[Hop, int] = {}
        for hop in detours:
            self._hops[hop[0]].append(hop)
            self._numbers[hop] = len(self._hops[hop[0]])

    def group_id(self, hop: Hop) -> int | None:
        """The group that a packet is handed to for this hop; None: it has no protection."""
        return self._numbers.get(hop)

    def groups(self, avoided: AbstractSet[DirectedLink] = frozenset()) -> tuple[Group, ...]:
        """All groups; those of the `avoided` links prefer the detour."""
        return tuple(group for switch in self._hops for group in self.groups_of(switch, avoided))

    def groups_of(
        self, switch: str, avoided: AbstractSet[DirectedLink] = frozenset()
    ) -> tuple[Group, ...]:
        """Those of one switch."""
        hops = self._hops.get(switch, ())
        return tuple(self._group(hop, avoided=hop[:2] in avoided) for hop in hops)

    def avoided_by(self, groups: Iterable[Group]) -> frozenset[DirectedLink]:
        """The links that any of these `groups` avoids."""
        there = frozenset(groups)
        hops = (hop for switch in {g.switch for g in there} for hop in self._hops.get(switch, ()))
        return frozenset(hop[:2] for hop in hops if self._group(hop, avoided=True) in there)

    def entries(self) -> Iterator[FlowEntry]:
        """The entries that carry tagged packets along the detours."""
        port = self._addressing.port
        for detour in {detour.path: detour for detour in self._detours.values()}.values():
            for here, there in pairwise(detour.path[1:]):
                yield detour_transit(here, detour.tag, port[here, there])
            yield detour_end(detour.path[-1], detour.tag)

    def _group(self, hop: Hop, avoided: bool) -> Group:
        port, detour = self._addressing.port, self._detours[hop]
        straight = Bucket(port[hop[0], hop[1]])
        round_it = Bucket(port[detour.path[0], detour.path[1]], push=detour.tag)
        buckets = (round_it, straight) if avoided else (straight, round_it)
        return Group(hop[0], self._numbers[hop], buckets)

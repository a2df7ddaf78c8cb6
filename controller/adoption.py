"""Routes that an earlier controller has left in the switches, taken over as they are.

The switches are the controller's memory. The ingress entry of an OD pair decides where its packets
go: it holds the label, which is followed from switch to switch. A route is taken over if all its
entries are those that this controller would have put there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.flow_entries import (
    LABELS,
    FlowEntry,
    RouteEntries,
    drop_entry,
    pair_of,
    route_entries,
)
from controller.protection import Protection
from topologies.addressing import Addressing
from topologies.model import OdPair, Path, Topology


@dataclass(frozen=True)
class Found:
    """What the switches hold of an earlier controller."""

    routes: Mapping[OdPair, tuple[Path, RouteEntries]]
    """Those that are whole."""
    drops: tuple[FlowEntry, ...]
    labels: frozenset[int]
    """All that are in use, be it by remains of a route."""


def find(
    topology: Topology,
    addressing: Addressing,
    protection: Protection,
    entries: Iterable[FlowEntry],
) -> Found:
    """What of all `entries` of the network can be taken over."""
    entries = frozenset(entries)
    tracer = _Tracer(addressing, protection, entries)
    routes: dict[OdPair, tuple[Path, RouteEntries]] = {}
    for ingress in entries:
        if not ingress.is_ingress:
            continue
        pair = pair_of(addressing, ingress.switch, dict(ingress.match))
        if pair is not None and (route := tracer.route(pair, ingress)):
            routes[pair] = route
    drops = (drop_entry(addressing, p, topology.switch_of[p[0]]) for p in topology.od_pairs)
    return Found(
        routes={pair: routes[pair] for pair in topology.od_pairs if pair in routes},
        drops=tuple(drop for drop in drops if drop in entries),
        labels=frozenset(entry.label for entry in entries if entry.label),
    )


class _Tracer:
    """Follows labels through the tables of all switches."""

    def __init__(
        self, addressing: Addressing, protection: Protection, entries: frozenset[FlowEntry]
    ) -> None:
        self._addressing = addressing
        self._protection = protection
        self._entries = entries
        self._by_label = {(e.switch, e.label): e for e in entries if e.table == LABELS}
        self._straight = {group.key: group.buckets[0].output for group in protection.groups()}

    def route(self, pair: OdPair, ingress: FlowEntry) -> tuple[Path, RouteEntries] | None:
        """The path of `pair` and its entries; None unless all of them are as they should be."""
        path = self._follow(ingress)
        ends = {(path[0], pair[0]), (path[-1], pair[1])}
        if not ends <= self._addressing.port.keys():
            return None
        entries = route_entries(
            self._addressing, pair, path, ingress.label, self._protection.group_id
        ).marked(ingress.requested)
        whole = self._entries.issuperset((entries.ingress, *entries.behind))
        return (path, entries) if whole else None

    def _follow(self, ingress: FlowEntry) -> Path:
        """The switches from the ingress to where the label ends, or meets itself."""
        path: list[str] = []
        entry: FlowEntry | None = ingress
        while entry is not None and entry.switch not in path:
            path.append(entry.switch)
            following = self._addressing.neighbour.get((entry.switch, self._output(entry)))
            entry = self._by_label.get((following or "", ingress.label))
        return tuple(path)

    def _output(self, entry: FlowEntry) -> int:
        """The port of the path itself, not of a detour; 0, which is no port, if there is none."""
        if entry.group is None:
            return entry.output or 0
        return self._straight.get((entry.switch, entry.group), 0)

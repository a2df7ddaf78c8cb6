"""Routes that an earlier controller has left in the switches, taken over as they are.

The switches are the controller's memory. The ingress entry of an OD pair decides where its packets
go: it holds the label, which is followed from switch to switch; that of a split leads to the labels
of its branches. A route is taken over if all its
entries are those that this controller would have put there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from controller.flow_entries import (
    LABELS,
    FlowEntry,
    Kind,
    RouteEntries,
    drop_entry,
    routed_by,
)
from controller.flow_entries import pair_of as entry_pair
from controller.flows import Flow, Routed, pair_of
from controller.labels import label_of
from controller.protection import Protection
from controller.way_entries import way_entries
from topologies.addressing import Addressing
from topologies.model import OdPair, Path, Split, Topology, Way
from topologies.splits import paths_of


@dataclass(frozen=True)
class Found:
    """What the switches hold of an earlier controller."""

    routes: Mapping[Routed, tuple[Way, RouteEntries]]
    """Those that are whole."""
    unfollowed: Mapping[Flow, FlowEntry]
    """The ingress entries of flows whose routes are not: they come before those of the pairs."""
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
    routes: dict[Routed, tuple[Way, RouteEntries]] = {}
    unfollowed: dict[Flow, FlowEntry] = {}
    for ingress in entries:
        if not ingress.is_ingress:
            continue
        routed = routed_by(addressing, ingress.switch, ingress.match)
        if routed is None:
            continue
        if route := tracer.route(routed, ingress):
            routes[routed] = route
        elif isinstance(routed, Flow):
            unfollowed[routed] = ingress
    flows = {flow: route for flow, route in routes.items() if isinstance(flow, Flow)}
    return Found(
        routes={pair: routes[pair] for pair in topology.od_pairs if pair in routes} | flows,
        unfollowed=unfollowed,
        labels=frozenset(entry.label for entry in entries if entry.label),
    )


def drops(addressing: Addressing, entries: Iterable[FlowEntry]) -> Iterator[OdPair]:
    """The pairs that `entries` drop where they enter, as a client has asked for."""
    for entry in entries:
        if entry.kind is Kind.DROP:
            pair = entry_pair(addressing, entry.switch, dict(entry.match))
            if pair and entry == drop_entry(addressing, pair, entry.switch):
                yield pair


class _Tracer:
    """Follows labels through the tables of all switches."""

    def __init__(
        self, addressing: Addressing, protection: Protection, entries: frozenset[FlowEntry]
    ) -> None:
        self._addressing = addressing
        self._protection = protection
        self._entries = entries
        self._by_label = {
            (e.switch, e.label): e for e in entries if e.table == LABELS and e.kind != Kind.BRANCH
        }
        self._branches: defaultdict[tuple[str, int], list[FlowEntry]] = defaultdict(list)
        for entry in entries:
            if entry.kind == Kind.BRANCH:
                self._branches[entry.switch, entry.label].append(entry)
        self._straight = {group.key: group.buckets[0].output for group in protection.groups()}

    def route(self, routed: Routed, ingress: FlowEntry) -> tuple[Way, RouteEntries] | None:
        """The way of `routed` and its entries; None unless all of them are as they should be."""
        branches = self._branches_of(ingress)
        way = self._way(branches) if branches else self._follow(ingress, ingress.label)
        pair = pair_of(routed)
        ends = {end for p in paths_of(way) for end in ((p[0], pair[0]), (p[-1], pair[1]))}
        if not ends <= self._addressing.port.keys():
            return None
        labels = iter([ingress.label, *branches])
        group_id = self._protection.group_id
        entries = way_entries(self._addressing, routed, way, lambda _: next(labels), group_id)
        entries = entries.marked(ingress.requested)
        whole = self._entries.issuperset((entries.ingress, *entries.behind))
        return (way, entries) if whole else None

    def _branches_of(self, ingress: FlowEntry) -> Mapping[int, list[FlowEntry]]:
        """The branch entries of a split by the label that they set, in order; none: it is no
        split."""
        found = self._branches.get((ingress.switch, ingress.label), ())
        by_label: defaultdict[int, list[FlowEntry]] = defaultdict(list)
        for entry in sorted(found, key=lambda entry: int(dict(entry.match)["reg0"])):
            by_label[label_of(entry.set_eth_dst)].append(entry)
        return by_label

    def _way(self, branches: Mapping[int, list[FlowEntry]]) -> Split:
        return Split(
            tuple(
                (self._follow(entries[0], label), len(entries))
                for label, entries in branches.items()
            )
        )

    def _follow(self, ingress: FlowEntry, label: int) -> Path:
        """The switches from the ingress to where the label ends, or meets itself."""
        path: list[str] = []
        entry: FlowEntry | None = ingress
        while entry is not None and entry.switch not in path:
            path.append(entry.switch)
            following = self._addressing.neighbour.get((entry.switch, self._output(entry)))
            entry = self._by_label.get((following or "", label))
        return tuple(path)

    def _output(self, entry: FlowEntry) -> int:
        """The port of the path itself, not of a detour; 0, which is no port, if there is none."""
        if entry.group is None:
            return entry.output or 0
        return self._straight.get((entry.switch, entry.group), 0)

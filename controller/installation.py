"""What is installed where, and the transactions that change it without losing a packet."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Protocol

from controller import adoption, meters
from controller.drops import Drops
from controller.flow_entries import (
    FlowEntry,
    RouteEntries,
)
from controller.flow_table import Change, FlowTables, put, remove
from controller.flows import Flow, Routed, pair_of
from controller.groups import Group, GroupChange, missing, surplus
from controller.labels import Labels
from controller.meters import Meter, MeterChange
from controller.moves import InstalledRoute, Leftovers, Moved, Obstacle, failures
from controller.policies import policy_meters
from controller.protection import Protection
from controller.reroute import drain_s
from controller.standing_entries import standing_entries
from controller.trees import References, Trees
from controller.way_entries import way_entries
from topologies.addressing import address
from topologies.detours import Detour, Hop
from topologies.model import DirectedLink, OdPair, Topology, Way
from topologies.splits import paths_of


class Switches(Protocol):
    """The switches as seen from here; `controller.switches` talks to real ones."""

    @property
    def connected(self) -> AbstractSet[str]:
        """Names of the switches that can be programmed now."""

    def commit(
        self,
        changes: Sequence[Change],
        groups: Sequence[GroupChange] = (),
        meters: Sequence[MeterChange] = (),
        atomic: bool = False,
    ) -> Mapping[str, str]:
        """Send all changes at once and wait until each switch confirms; why those fail that do.

        `atomic`: a switch makes all of its changes at one instant, if it knows how.
        """

    def installed(self, switches: Iterable[str]) -> Mapping[str, tuple[FlowEntry, ...]]:
        """The entries of ours that `switches` hold; those that do not answer are absent."""

    def installed_groups(self, switches: Iterable[str]) -> Mapping[str, tuple[Group, ...]]:
        """The groups that each of `switches` holds; those that do not answer are absent."""

    def installed_meters(self, switches: Iterable[str]) -> Mapping[str, tuple[Meter, ...]]:
        """The meters that each of `switches` holds; those that do not answer are absent."""


UNPROTECTED: Mapping[Hop, Detour] = MappingProxyType({})

_logger = logging.getLogger(__name__)


class Installation:
    """Entries and routes of one network, in the switches and in mind.

    `defer(delay_s, call)` runs `call` later, beside other work. All else is called by one caller
    at a time.
    """

    def __init__(
        self,
        topology: Topology,
        switches: Switches,
        defer: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float] = time.monotonic,
        detours: Mapping[Hop, Detour] = UNPROTECTED,
    ) -> None:
        self.routes: dict[Routed, InstalledRoute] = {}
        self._topology = topology
        self._switches = switches
        self._defer = defer
        self._clock = clock
        self._addressing = address(topology)
        self._labels = Labels()
        self._references = References()
        self._protection = Protection(self._addressing, detours)
        self.avoided: frozenset[DirectedLink] = frozenset()
        """See `avoid`."""
        self._meters = tuple(policy_meters(topology))
        standing = standing_entries(topology, self._addressing)
        self._tables = FlowTables((*standing, *self._protection.entries()))
        self._unconfirmed: defaultdict[str, dict[Routed, Leftovers]] = defaultdict(dict)
        """By ingress switch: what it may still send along old entries."""
        self.lacking: dict[str, str] = {}
        """Switches that have not confirmed all that they were told, and why, until `fill` finds out
        what is missing and that is confirmed."""
        self._read: set[str] = set()
        """Switches whose tables were read since this controller came."""
        self._found: dict[str, tuple[FlowEntry, ...]] = {}
        """What those of them held that `adopt` has not looked at yet."""
        self._unfollowed: dict[Flow, FlowEntry] = {}
        """Ingress entries of an earlier controller's flows that `adopt` could not take over."""
        self._drops = Drops(topology, self._addressing)

    def confirmed(self) -> dict[Routed, Way]:
        """The way of every pair and flow whose entries are all known to be in place."""
        waiting = {routed for held in self._unconfirmed.values() for routed in held}
        return {routed: r.way for routed, r in self.routes.items() if routed not in waiting}

    def move(self, targets: Mapping[Routed, Way], requested: bool, obstacle: Obstacle) -> Moved:
        """Make before break, all together: first behind the ingress, then the ingress.

        A way that meets an `obstacle` before its ingress is switched is given up. The caller
        retires the leftovers.
        """
        here = {pair for pair, way in targets.items() if self._confirmed_on(pair, way)}
        pinned = [entry for pair in here for entry in self._pin(pair, requested)]
        trees = Trees(self._labels.fresh)
        new = {
            pair: InstalledRoute(way, self._entries(pair, way, trees).marked(requested))
            for pair, way in targets.items()
            if pair not in here
        }
        behind = (entry for route in new.values() for entry in route.entries.behind)
        lost = self._commit(put(self._references.take(behind)))
        installed_s = self._clock()
        failed = failures(new, lost, obstacle)
        self.retire(Leftovers(tuple(e for pair in failed for e in new[pair].entries.behind)))
        for pair in failed:
            del new[pair]
        ingresses = [route.entries.ingress for route in new.values()]
        lost = self._commit(put([*pinned, *ingresses]))
        switched_s = self._clock()
        leftovers = Leftovers()
        for pair, route in new.items():
            before = self._replace(pair, route)
            if why := lost.get(route.entries.ingress.switch):
                failed[pair] = _later(route.entries.ingress.switch, why)
                self._hold(route.entries.ingress.switch, pair, before)
            else:
                leftovers += before
        applied = {pair: way for pair, way in targets.items() if pair not in failed}
        return Moved(applied, failed, installed_s, switched_s, leftovers)

    def release(self, flows: Iterable[Flow]) -> Moved:
        """Let flows go as their pairs do, but for those whose ingress does not confirm it.

        The caller retires the leftovers.
        """
        ingress = {flow: self.routes[flow].entries.ingress for flow in flows}
        lost = self._commit(remove(ingress.values())) if ingress else {}
        failed: dict[Routed, str] = {}
        leftovers = Leftovers()
        for flow, entry in ingress.items():
            if entry.switch in lost:
                failed[flow] = f"{entry.switch} {lost[entry.switch]}"
                self._tables.apply([Change(entry)])
            else:
                leftovers += self._leftovers(flow, self.routes.pop(flow))
                leftovers += self._unconfirmed[entry.switch].pop(flow, Leftovers())
        released: dict[Routed, Way] = {flow: () for flow in ingress if flow not in failed}
        now_s = self._clock()
        return Moved(released, failed, now_s, now_s, leftovers)

    def retire(self, leftovers: Leftovers, then: Callable[[], None] | None = None) -> None:
        """Remove what no other route needs of `leftovers` once no packet does; call `then`."""

        def retire_now() -> None:
            free = self._references.give_up(leftovers.entries)
            if self.unread or self._found:
                # A switch that was not read may still send along those of an earlier controller;
                # `clean` takes them away.
                self._tables.apply(remove(e for e in free if not self._labels.made(e.label)))
                free = [entry for entry in free if self._labels.made(entry.label)]
            removals = remove(free)
            for switch, why in self._commit(removals).items():
                _logger.warning("%s %s: it keeps old entries until it is cleaned", switch, why)
            if then:
                then()

        if leftovers.entries:
            self._defer(leftovers.drain_s, retire_now)
        elif then:
            then()

    def avoid(self, links: frozenset[DirectedLink]) -> None:
        """Have the packets that would cross any of `links` led round it, whatever the port says.

        One end of a dead link may not know. Such a link remains the way out where the detour is
        dead. Links that are avoided no more are used again.
        """
        if links == self.avoided:
            return
        changed = sorted({switch for switch, _ in links ^ self.avoided})
        before = [group for switch in changed for group in self._groups_of(switch)]
        self.avoided = links
        after = [group for switch in changed for group in self._groups_of(switch)]
        self._send((), missing(after, before))

    def fill(self, switches: AbstractSet[str]) -> dict[Routed, Way]:
        """Give each of `switches` what it lacks of all that it should hold, and nothing else;
        return the routes this confirms."""
        installed = self._switches.installed(switches)
        groups = self._switches.installed_groups(installed)
        names = sorted(groups)
        for name in names:
            if name not in self._read:
                self._take_over(name, installed[name], groups[name])
            elif name in self._found:
                self._found[name] = installed[name]
        lost = self._send(
            [
                *put(e for name in names for e in self._tables.missing(name, installed[name])),
                *remove(e for name in names for e in self._drops.lifted(installed[name])),
            ],
            [c for name in names for c in missing(self._groups_of(name), groups[name])],
            self._missing_meters(names),
            atomic=True,
        )
        confirmed: dict[Routed, Way] = {}
        for switch in names:
            if switch not in lost:
                self.lacking.pop(switch, None)
                for pair, leftovers in self._unconfirmed.pop(switch, {}).items():
                    confirmed[pair] = self.routes[pair].way
                    self.retire(leftovers)
        return confirmed

    def _take_over(
        self, switch: str, entries: tuple[FlowEntry, ...], groups: Iterable[Group]
    ) -> None:
        """Keep what an earlier controller has told `switch` by itself: drops, what it avoids."""
        self._read.add(switch)
        self._found[switch] = entries
        self._tables.apply(put(self._drops.take_over(entries)))
        self.avoided |= self._protection.avoided_by(groups)

    def adopt(self) -> dict[Routed, Way]:
        """Take over the routes that an earlier controller has left whole in the switches that were
        read, if any were since the last call; return those routes."""
        if not self._found:
            return {}
        # What the others held has changed since.
        known = self._switches.installed(self._read - self._found.keys())
        entries = [e for held in (*known.values(), *self._found.values()) for e in held]
        found = adoption.find(self._topology, self._addressing, self._protection, entries)
        self._found.clear()
        own = {e.label for switch in self._topology.switches for e in self._tables.of(switch.name)}
        self._labels.taken.update(found.labels - own)
        self._unfollowed = dict(found.unfollowed)
        routes = {routed: r for routed, r in found.routes.items() if routed not in self.routes}
        for routed, (way, route) in routes.items():
            self._tables.apply(put([route.ingress, *self._references.take(route.behind)]))
            self.routes[routed] = InstalledRoute(way, route)
        return {routed: way for routed, (way, _) in routes.items()}

    def give_up_unfollowed(self) -> None:
        """Let the flows that could not be taken over go as their pairs, where those have a route:
        part of their own may be gone, and their entries come first."""
        confirmed = self.confirmed()
        given_up = [flow for flow in self._unfollowed if pair_of(flow) in confirmed]
        entries = {flow: self._unfollowed.pop(flow) for flow in given_up}
        if free := remove(e for flow, e in entries.items() if flow not in self.routes):
            self._commit(free)

    @property
    def found(self) -> bool:
        """Whether tables were read that `adopt` has not looked at yet."""
        return bool(self._found)

    @property
    def unread(self) -> frozenset[str]:
        """Switches whose tables this controller has never read."""
        return frozenset(switch.name for switch in self._topology.switches) - self._read

    def clean(self, switch: str) -> None:
        """Remove the entries of ours from `switch` that it should not hold."""
        installed = self._switches.installed([switch]).get(switch, ())
        groups = self._switches.installed_groups([switch]).get(switch, ())
        self._send(
            remove(self._tables.surplus(switch, installed)),
            surplus(self._groups_of(switch), groups),
        )

    def drop(self, pair: OdPair, dropped: bool) -> str:
        """Drop all packets of `pair` at its ingress, or no longer; why not yet, if not."""
        change = self._drops.want(pair, dropped)
        switch, lost = change.entry.switch, self._commit([change])
        return _later(switch, lost[switch]) if switch in lost else ""

    @property
    def dropped(self) -> tuple[OdPair, ...]:
        """The pairs that clients have had dropped."""
        return self._drops.pairs

    def _entries(self, routed: Routed, way: Way, trees: Trees) -> RouteEntries:
        label_of = partial(trees.label, pair_of(routed)[1])
        return way_entries(self._addressing, routed, way, label_of, self._protection.group_id)

    def _missing_meters(self, switches: Sequence[str]) -> list[MeterChange]:
        wanted = [meter for meter in self._meters if meter.switch in switches]
        installed = self._switches.installed_meters({meter.switch for meter in wanted})
        answering = (meter for meter in wanted if meter.switch in installed)
        return meters.missing(answering, (m for there in installed.values() for m in there))

    def _groups_of(self, switch: str) -> tuple[Group, ...]:
        return self._protection.groups_of(switch, self.avoided)

    def _confirmed_on(self, pair: Routed, way: Way) -> bool:
        route = self.routes.get(pair)
        waiting = self._unconfirmed.get(paths_of(way)[0][0], {})
        return route is not None and route.way == way and pair not in waiting

    def _pin(self, pair: Routed, requested: bool) -> list[FlowEntry]:
        """Note who wants a pair where it is; the ingress entry that says so, if that is news."""
        route = self.routes[pair]
        if route.requested == requested:
            return []
        self.routes[pair] = replace(route, entries=route.entries.marked(requested))
        return [self.routes[pair].entries.ingress]

    def _replace(self, pair: Routed, route: InstalledRoute) -> Leftovers:
        before = self.routes.get(pair)
        self.routes[pair] = route
        return self._leftovers(pair, before) if before else Leftovers()

    def _leftovers(self, routed: Routed, route: InstalledRoute) -> Leftovers:
        pair, paths = pair_of(routed), paths_of(route.way)
        longest_s = max(drain_s(self._topology, pair, path) for path in paths)
        return Leftovers(route.entries.behind, longest_s)

    def _hold(self, ingress: str, pair: Routed, leftovers: Leftovers) -> None:
        held = self._unconfirmed[ingress]
        held[pair] = held.get(pair, Leftovers()) + leftovers

    def _commit(self, changes: Sequence[Change]) -> Mapping[str, str]:
        self._tables.apply(changes)
        return self._send(changes)

    def _send(
        self,
        changes: Sequence[Change],
        groups: Sequence[GroupChange] = (),
        meters: Sequence[MeterChange] = (),
        atomic: bool = False,
    ) -> Mapping[str, str]:
        failed = self._switches.commit(changes, groups, meters, atomic)
        self.lacking.update(failed)
        return failed


def _later(switch: str, why: str) -> str:
    return f"{switch} {why}: it follows when the switch is back"

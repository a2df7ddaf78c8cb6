"""Switches that exist only as flow tables: entries are put into them one at a time, in any order
between switches, and packets walk through them while that happens."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from controller.flow_entries import FlowEntry, Kind
from controller.flow_table import Change, FlowTables
from controller.forwarding import Failure, Forwarding, Packet
from controller.groups import Group, GroupChange
from controller.meters import Meter, MeterChange
from topologies.addressing import address
from topologies.model import Host, Link, LinkShape, OdPair, Path, Switch, Topology

SHAPE = LinkShape(rate_bps=10e6, delay_ms=1.0)


def make_topology(edges: Iterable[tuple[str, str]], hosts: Mapping[str, str]) -> Topology:
    """A network of links of 1 ms; `hosts` maps a host to its switch."""
    edges = list(edges)
    switches = sorted({*(s for edge in edges for s in edge), *hosts.values()})
    return Topology(
        name="test",
        switches=tuple(Switch(name, name) for name in switches),
        hosts=tuple(Host(name, name, switch) for name, switch in hosts.items()),
        links=(
            *(Link(host, switch, SHAPE) for host, switch in hosts.items()),
            *(Link(a, b, SHAPE) for a, b in edges),
        ),
    )


def ring(switches: int) -> Topology:
    """s0 - s1 - ... - s0, with host h<i> on s<i>."""
    names = [f"s{i}" for i in range(switches)]
    return make_topology(
        zip(names, [*names[1:], names[0]], strict=True), {f"h{i}": s for i, s in enumerate(names)}
    )


class FakeNetwork:
    """Implements `controller.installation.Switches`, a clock, and deferred calls."""

    def __init__(self, topology: Topology, seed: int = 0) -> None:
        self.topology = topology
        self.addressing = address(topology)
        self.connected: set[str] = {switch.name for switch in topology.switches}
        self.dead: set[frozenset[str]] = set()
        self.tables: defaultdict[str, FlowTables] = defaultdict(FlowTables)
        self.groups: defaultdict[str, dict[int, Group]] = defaultdict(dict)
        self.meters: defaultdict[str, dict[int, Meter]] = defaultdict(dict)
        self.now_s = 100.0
        self.commits: list[list[Change]] = []
        self.refusing: dict[str, str] = {}
        """Switches that do not confirm, and why."""
        self.on_change: Callable[[], None] = lambda: None
        """Called after every single change."""
        self._random = random.Random(seed)
        self._deferred: list[tuple[float, Callable[[], None]]] = []

    # --- what the controller sees ---------------------------------------------------------------

    def commit(
        self,
        changes: Sequence[Change],
        groups: Sequence[GroupChange] = (),
        meters: Sequence[MeterChange] = (),
        atomic: bool = False,  # noqa: ARG002 (one at a time is the hardest case)
    ) -> Mapping[str, str]:
        self.commits.append(list(changes))
        asked = {change.entry.switch for change in changes}
        asked |= {change.group.switch for change in groups}
        asked |= {change.meter.switch for change in meters}
        failed = dict.fromkeys(asked - self.connected, "is not connected")
        failed |= {switch: self.refusing[switch] for switch in asked & self.refusing.keys()}
        for meter in (change for change in meters if change.meter.switch not in failed):
            self._change_meter(meter)
        for group in (change for change in groups if change.group.switch not in failed):
            self._change_group(group)
        queues: defaultdict[str, list[Change]] = defaultdict(list)
        for change in changes:
            if change.entry.switch not in failed:
                queues[change.entry.switch].append(change)
        while queues:
            switch = self._random.choice(sorted(queues))
            self.tables[switch].apply([queues[switch].pop(0)])
            if not queues[switch]:
                del queues[switch]
            self.on_change()
        return failed

    def installed(self, switches: Iterable[str]) -> Mapping[str, tuple[FlowEntry, ...]]:
        return {s: self.tables[s].of(s) for s in switches if s in self.connected}

    def installed_groups(self, switches: Iterable[str]) -> Mapping[str, tuple[Group, ...]]:
        return {s: tuple(self.groups[s].values()) for s in switches if s in self.connected}

    def installed_meters(self, switches: Iterable[str]) -> Mapping[str, tuple[Meter, ...]]:
        return {s: tuple(self.meters[s].values()) for s in switches if s in self.connected}

    def _change_meter(self, change: MeterChange) -> None:
        meters, meter = self.meters[change.meter.switch], change.meter
        assert (meter.meter_id in meters) == change.modify, change
        meters[meter.meter_id] = meter

    def _change_group(self, change: GroupChange) -> None:
        groups, number = self.groups[change.group.switch], change.group.group_id
        assert (number in groups) == (change.command != "add"), change
        if change.command == "delete":
            del groups[number]
        else:
            groups[number] = change.group
        self.on_change()

    def clock(self) -> float:
        return self.now_s

    def defer(self, delay_s: float, call: Callable[[], None]) -> None:
        self._deferred.append((self.now_s + delay_s, call))

    # --- what the test does ---------------------------------------------------------------------

    def kill_controller(self) -> None:
        """Forget what it had deferred; what it had installed stays."""
        self._deferred.clear()
        self.commits.clear()

    def pass_time(self, seconds: float) -> None:
        """Carry out what was deferred until then, in order."""
        until_s = self.now_s + seconds
        while due := [item for item in self._deferred if item[0] <= until_s]:
            item = min(due, key=lambda item: item[0])
            self._deferred.remove(item)
            self.now_s = max(self.now_s, item[0])
            item[1]()
        self.now_s = until_s

    def entries(self) -> int:
        """How many entries there are besides those that every network has."""
        return sum(
            entry.kind not in (Kind.MISS, Kind.ARP, Kind.ADMIT, Kind.REFUSE, Kind.PROBE)
            for switch in self.topology.switches
            for entry in self.tables[switch.name].of(switch.name)
        )

    def walk(self, pair: OdPair) -> Path:
        """The switches that a packet crosses on its way, all at once."""
        entries = [e for name, table in self.tables.items() for e in table.of(name)]
        return self._forwarding(entries).walk(pair, self._failure)

    def walks(self, pair: OdPair) -> tuple[Path, ...]:
        """The same for packets of all flows that the switches may tell from one another."""
        entries = [e for name, table in self.tables.items() for e in table.of(name)]
        forwarding = self._forwarding(entries)
        return tuple(forwarding.follow(p, self._failure) for p in forwarding.kinds(pair))

    def send(self, pair: OdPair) -> Packet:
        """A packet that has just reached its ingress switch."""
        return self._forwarding(()).enter(pair)

    def forward(self, packet: Packet) -> Packet | None:
        """Move a packet one switch on, by the tables of now; None: it was delivered.

        Raises:
            LostError: it was not.
        """
        entries = self.tables[packet.at].of(packet.at)
        return self._forwarding(entries).step(packet, self._failure)

    def _forwarding(self, entries: Iterable[FlowEntry]) -> Forwarding:
        groups = (group for groups in self.groups.values() for group in groups.values())
        meters = (meter for meters in self.meters.values() for meter in meters.values())
        return Forwarding(self.topology, entries, groups, meters)

    @property
    def _failure(self) -> Failure:
        return Failure(links=frozenset(hop for a, b in self.dead for hop in ((a, b), (b, a))))

"""Packets walked through flow and group tables by the rules of OpenFlow, without a network.

What the switches are programmed with can so be checked in every failure state, be it as planned or
as dumped from real switches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from controller.flow_entries import (
    CLASSIFIER,
    ETH_TYPE_IPV4,
    IP_PROTOCOLS,
    POLICIES,
    ROUTES,
    UNTAGGED,
    VLAN_PRESENT,
    FlowEntry,
    Kind,
    routed_by,
)
from controller.flows import Flow
from controller.groups import Group
from controller.meters import Meter
from topologies.addressing import Addressing, address
from topologies.model import DirectedLink, OdPair, Path, Topology
from topologies.policies import OTHER_TRAFFIC, Traffic


class LostError(Exception):
    """A packet did not arrive; the message says where it ended and why."""


class DeniedError(LostError):
    """A policy denies the packet; the message says which."""


@dataclass(frozen=True)
class Failure:
    """What is dead: links both ways, switches with all that they hold. Nothing: all is well."""

    links: frozenset[DirectedLink] = frozenset()
    switches: frozenset[str] = frozenset()


NOTHING_DEAD = Failure()


@dataclass(frozen=True)
class Packet:
    """An IP packet of a pair, as it is about to be looked up."""

    pair: OdPair
    at: str
    in_port: int | None
    eth_dst: str
    tag: int | None = None
    eth_type: int = ETH_TYPE_IPV4
    traffic: Traffic = OTHER_TRAFFIC
    src_port: int | None = None
    hash: int = 0
    """What the switch tells its flow apart by."""
    register: int = 0
    dscp: int = 0
    meters: frozenset[Meter] = frozenset()
    """Those that it has passed."""


class Forwarding:
    """The tables of all switches of a network."""

    def __init__(
        self,
        topology: Topology,
        entries: Iterable[FlowEntry],
        groups: Iterable[Group] = (),
        meters: Iterable[Meter] = (),
    ) -> None:
        self._topology = topology
        self._addressing: Addressing = address(topology)
        self._groups = {group.key: group for group in groups}
        self._meters = {meter.key: meter for meter in meters}
        self._tables: defaultdict[tuple[str, int], list[FlowEntry]] = defaultdict(list)
        for entry in sorted(entries, key=lambda entry: -entry.priority):
            self._tables[entry.switch, entry.table].append(entry)

    def walk(
        self,
        pair: OdPair,
        failure: Failure = NOTHING_DEAD,
        traffic: Traffic = OTHER_TRAFFIC,
        eth_type: int = ETH_TYPE_IPV4,
    ) -> Path:
        """The switches that a packet of `pair` crosses from host to host.

        Raises:
            LostError: it is dropped, loops, meets something dead, or comes to another host.
        """
        return self.follow(self.enter(pair, traffic, eth_type), failure)

    def follow(self, entering: Packet, failure: Failure = NOTHING_DEAD) -> Path:
        """As `walk`, for a packet that has just reached its ingress switch."""
        packet: Packet | None = entering
        crossed: list[Packet] = []
        while packet is not None:
            if packet in crossed:
                raise LostError(f"it loops: {' '.join(p.at for p in (*crossed, packet))}")
            crossed.append(packet)
            packet = self.step(packet, failure)
        return tuple(packet.at for packet in crossed)

    def enter(
        self, pair: OdPair, traffic: Traffic = OTHER_TRAFFIC, eth_type: int = ETH_TYPE_IPV4
    ) -> Packet:
        """A packet that has just reached its ingress switch."""
        source, target = pair
        ingress = self._topology.switch_of[source]
        in_port = self._addressing.port[ingress, source]
        mac = self._addressing.mac[target]
        return Packet(pair, ingress, in_port, mac, eth_type=eth_type, traffic=traffic)

    def kinds(
        self, pair: OdPair, traffic: Traffic = OTHER_TRAFFIC, eth_type: int = ETH_TYPE_IPV4
    ) -> Iterator[Packet]:
        """`enter` for one packet of every flow that an ingress entry may tell from others.

        Flows that have an entry of their own are among them if `traffic` is none with a name.
        """
        packet = self.enter(pair, traffic, eth_type)
        values = 1
        for entry in self._tables.get((packet.at, ROUTES), ()):
            routed = routed_by(self._addressing, packet.at, entry.match)
            if routed == pair:
                values = entry.spread or 1
            elif isinstance(routed, Flow) and routed.pair == pair and traffic == OTHER_TRAFFIC:
                own = Traffic(routed.protocol, routed.dst_port)
                yield replace(packet, traffic=own, src_port=routed.src_port)
        for value in range(values):
            yield replace(packet, hash=value)

    def step(self, packet: Packet, failure: Failure = NOTHING_DEAD) -> Packet | None:
        """The packet one switch further on; None: it was delivered, as it should be.

        Raises:
            LostError: it was not.
        """
        if packet.at in failure.switches:
            raise LostError(f"it meets the dead switch {packet.at}")
        packet, following = self._leave(packet, failure)
        target = packet.pair[1]
        if following == target:
            if packet.eth_dst != self._addressing.mac[target] or packet.tag is not None:
                raise LostError(f"it arrives as another's: {packet.eth_dst}")
            return None
        if following in self._topology.switch_of:
            raise LostError(f"it arrives at {following}")
        if (packet.at, following) in failure.links:
            raise LostError(f"it meets the dead link {packet.at}-{following}")
        in_port = self._addressing.port[following, packet.at]
        return replace(packet, at=following, in_port=in_port, register=0)

    def _leave(self, packet: Packet, failure: Failure) -> tuple[Packet, str]:
        """The packet as it leaves its switch, and the node that it goes to."""
        table: int | None = CLASSIFIER
        output: int | None = None
        while table is not None and output is None:
            entry = self._lookup(packet, table)
            if entry is None:
                break
            if table == POLICIES and entry.kind == Kind.POLICY and entry.goto is None:
                raise DeniedError(f"policy {entry.label} denies it")
            packet = self._changed(packet, entry)
            output, table = entry.output, entry.goto
            if entry.group is not None:
                packet, output = self._fail_over(packet, entry.group, failure)
        following = self._addressing.neighbour.get((packet.at, output or 0))
        if following is None or output == packet.in_port:
            raise LostError(f"{packet.at} drops it")
        return packet, following

    def _changed(self, packet: Packet, entry: FlowEntry) -> Packet:
        """The packet after all that an entry does but send it somewhere."""
        if entry.meter is not None:
            meter = self._meters.get((packet.at, entry.meter))
            if meter is None:
                raise LostError(f"{packet.at} has no meter {entry.meter}")
            packet = replace(packet, meters=packet.meters | {meter})
        if entry.pop_vlan:
            packet = replace(packet, tag=None, in_port=None)
        if entry.set_eth_dst is not None:
            packet = replace(packet, eth_dst=entry.set_eth_dst)
        if entry.set_ip_dscp is not None:
            packet = replace(packet, dscp=entry.set_ip_dscp)
        if entry.spread is not None:
            packet = replace(packet, register=packet.hash % entry.spread)
        return packet

    def _lookup(self, packet: Packet, table: int) -> FlowEntry | None:
        fields = self._fields(packet)
        entries = self._tables.get((packet.at, table), ())
        return next((entry for entry in entries if entry.match <= fields), None)

    def _fields(self, packet: Packet) -> set[tuple[str, int | str]]:
        """All that a match can ask of a packet."""
        source, target = packet.pair
        ipv4 = packet.eth_type == ETH_TYPE_IPV4
        name, ip = ("ipv4", self._addressing.ipv4) if ipv4 else ("ipv6", self._addressing.ipv6)
        fields: set[tuple[str, int | str]] = {
            ("eth_type", packet.eth_type),
            ("eth_dst", packet.eth_dst),
            ("vlan_vid", UNTAGGED if packet.tag is None else VLAN_PRESENT | packet.tag),
            (f"{name}_src", ip[source]),
            (f"{name}_dst", ip[target]),
            ("ip_dscp", packet.dscp),
            ("reg0", packet.register),
        }
        if packet.in_port is not None:
            fields.add(("in_port", packet.in_port))
        protocol, port = packet.traffic.protocol, packet.traffic.port
        if protocol is not None:
            fields.add(("ip_proto", IP_PROTOCOLS[packet.eth_type][protocol]))
        if port is not None:
            fields.add((f"{protocol}_dst", port))
        if packet.src_port is not None:
            fields.add((f"{protocol}_src", packet.src_port))
        return fields

    def _fail_over(
        self, packet: Packet, group_id: int, failure: Failure
    ) -> tuple[Packet, int | None]:
        """The packet and the port of the first bucket that lives; no port if none does."""
        group = self._groups.get((packet.at, group_id))
        for bucket in group.buckets if group else ():
            following = self._addressing.neighbour[packet.at, bucket.output]
            if (packet.at, following) in failure.links or following in failure.switches:
                continue
            if bucket.push is not None:
                packet = replace(packet, tag=bucket.push, in_port=None)
            return packet, bucket.output
        return packet, None


def single_failures(topology: Topology) -> Mapping[str, Failure]:
    """Every link and every switch dead by itself, by what people call it."""
    links = {
        f"link {link.a}-{link.b} down": Failure(links=frozenset(link.directions))
        for link in topology.core_links
    }
    switches = {
        f"switch {switch.name} dead": Failure(switches=frozenset({switch.name}))
        for switch in topology.switches
    }
    return {**links, **switches}


def dead_links(topology: Topology, failure: Failure) -> frozenset[DirectedLink]:
    """Every core direction that carries nothing in a failure state."""
    return frozenset(
        hop
        for hop in topology.core_directions
        if hop in failure.links or not failure.switches.isdisjoint(hop)
    )

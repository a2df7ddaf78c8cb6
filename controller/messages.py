"""The northbound messages: newline-delimited JSON over a Unix-domain socket, both directions.

Every message is one JSON object on one line; `type` says which. Times (`t_s`) are seconds of
CLOCK_MONOTONIC, which all processes of a machine share. The controller numbers what it sends
with `seq`, starting at 1 and counting each message once for all subscribers, so that a
subscriber notices a gap; after a reconnect it gets a fresh snapshot. A new controller counts from
1 again.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from topologies.model import OdPair, Split, Way

PROTOCOL_VERSION = 1

OBSERVED = "observed"
"""Cause of routes that a network without a controller has found: in the records of its run alone,
and so late as they were looked at."""


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=False):
    """What all messages of the controller have in common."""

    t_s: float
    """When the described thing happened (for counters: when the reply arrived)."""
    seq: int = 0


class WeightedPath(msgspec.Struct, frozen=True):
    """A path of a pair that is split over several; weights are whole numbers from 1."""

    path: tuple[str, ...]
    weight: int


class Route(msgspec.Struct, frozen=True, omit_defaults=True):
    """The path of one OD pair, as switch names from ingress to egress.

    A split pair has `others` besides: each of its flows (addresses, protocol, ports) keeps to one
    of the paths, in shares as the weights. Who ignores them knows the first path.
    """

    src: str
    dst: str
    path: tuple[str, ...]
    weight: int = 1
    others: tuple[WeightedPath, ...] = ()

    @property
    def way(self) -> Way:
        """The path, or the split over all paths."""
        if not self.others:
            return self.path
        others = ((other.path, other.weight) for other in self.others)
        return Split(((self.path, self.weight), *others))


def route_of(pair: OdPair, way: Way) -> Route:
    """Return the way of a pair as a message tells it."""
    if not isinstance(way, Split):
        return Route(*pair, way)
    (path, weight), *others = way.branches
    return Route(*pair, path, weight, tuple(WeightedPath(*other) for other in others))


class FlowRoute(msgspec.Struct, frozen=True, omit_defaults=True):
    """The path of some flows of an OD pair: those of a protocol, from or to a port, or both.

    With an empty path, they go as the rest of their pair.
    """

    src: str
    dst: str
    protocol: Literal["tcp", "udp"]
    path: tuple[str, ...] = ()
    src_port: int | None = None
    dst_port: int | None = None


class PortCounters(msgspec.Struct, frozen=True):
    """Counters of one switch port since it was created; `neighbour` is the node at the far end."""

    neighbour: str
    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int
    rx_dropped: int
    tx_dropped: int


class OdCounters(msgspec.Struct, frozen=True):
    """Packets and bytes (whole Ethernet frames) of one OD pair, counted at its ingress switch.

    The controller adds up the counters of replaced entries: they never go backwards while it
    lives. Those of a new controller begin with what the switch has counted.
    """

    src: str
    dst: str
    packets: int
    bytes: int


class GroupCounters(msgspec.Struct, frozen=True):
    """Counters of one group since it was made."""

    group_id: int
    packets: int
    bytes: int
    bucket_packets: tuple[int, ...]
    """Of each bucket, in the order in which the switch prefers them: the path of a protected hop,
    then its detour; the other way round while the link is avoided, since one end saw it fail."""


class MeterCounters(msgspec.Struct, frozen=True):
    """Counters of one meter since it was made."""

    meter_id: int
    packets: int
    """That came to it."""
    bytes: int
    dropped_packets: int
    dropped_bytes: int


class LinkDelay(msgspec.Struct, frozen=True):
    """The delay of one link, one way: from its transmitter's queue to the far end."""

    neighbour: str
    delay_ms: float | None
    """None: the probe has not come within its second."""
    error_ms: float | None
    """How much was taken off for the control channels, and is uncertain by as much."""


class Miscabled(msgspec.Struct, frozen=True):
    """A port whose frames do not arrive where the topology says.

    Those sent by `datapath` towards `neighbour` arrive at `far_datapath`, by the port that the
    topology leads to `far_neighbour`.
    """

    datapath: str
    neighbour: str
    far_datapath: str
    far_neighbour: str


class Refusal(msgspec.Struct, frozen=True):
    """Why a requested move was not carried out."""

    src: str
    dst: str
    reason: str


class DroppedPair(msgspec.Struct, frozen=True):
    """An OD pair whose packets are dropped where they enter."""

    src: str
    dst: str


# --- controller to client -------------------------------------------------------------------


class Hello(Message, frozen=True, tag="hello"):
    """First message on every connection."""

    version: int
    topology: str
    """Name of the topology."""


class Ready(Message, frozen=True, tag="ready"):
    """All switches are connected and all routes are confirmed by barriers (sent once, and again
    in the snapshot to those who connect later)."""

    datapaths: int
    routes: int


class DatapathState(Message, frozen=True, tag="datapath-state"):
    """A switch (by name) connected to, or was lost by, the controller."""

    datapath: str
    connected: bool


class PortStats(Message, frozen=True, tag="port-stats"):
    """Counters of all ports of one switch."""

    datapath: str
    ports: tuple[PortCounters, ...]


class OdStats(Message, frozen=True, tag="od-stats"):
    """Counters of all OD pairs that enter the network at one switch."""

    datapath: str
    pairs: tuple[OdCounters, ...]


class LinkState(Message, frozen=True, tag="link-state"):
    """A port of `datapath` towards `neighbour` can be used, or not (OFPT_PORT_STATUS)."""

    datapath: str
    neighbour: str
    up: bool
    cause: str = ""
    """Why it is down: "carrier" (none), "bfd" (no session), "admin" (switched off), "gone"."""


class GroupStats(Message, frozen=True, tag="group-stats"):
    """Counters of all groups of one switch."""

    datapath: str
    groups: tuple[GroupCounters, ...]


class MeterStats(Message, frozen=True, tag="meter-stats"):
    """Counters of all meters of one switch."""

    datapath: str
    meters: tuple[MeterCounters, ...]


class LinkDelays(Message, frozen=True, tag="link-delays"):
    """Delays of the core links by which one switch sends, by timed probes: one a second."""

    datapath: str
    links: tuple[LinkDelay, ...]
    """Those that are up at both ends; the others are not probed."""


class SwitchHealth(Message, frozen=True, tag="switch-health"):
    """How one switch answers, told when it has answered an echo request."""

    datapath: str
    echo_ms: float
    """Round trip of that request, over the control channel."""
    outstanding: int
    """Requests that it has not answered yet."""
    slowdown: int
    """So many times more rarely than usual it is asked for what it answers most slowly."""


class Gap(Message, frozen=True, tag="gap"):
    """A switch has not answered within the period: no `missing` of it, until the next one."""

    datapath: str
    missing: str
    """The type of the message that fails to come."""
    answered_s: float | None
    """When it was answered last; None: never."""


class LinkSilence(Message, frozen=True, tag="link-silence"):
    """What `datapath` sends to `neighbour` seems to vanish, though both ports are up; or no more.

    Nothing is rerouted for that: where silent links are to be survived, BFD finds them.
    """

    datapath: str
    neighbour: str
    silent: bool


class Discovery(Message, frozen=True, tag="discovery"):
    """Where the probes of the core links arrive, compared with the topology."""

    links: int
    """Core links of the topology, each way."""
    as_configured: int
    """Of those: seen to lead where they should."""
    miscabled: tuple[Miscabled, ...]


class SpoofedArp(Message, frozen=True, tag="spoofed-arp"):
    """A host has sent an ARP frame under a name that is not its own; it was not answered.

    At most once a second and host.
    """

    host: str
    """Who really sent it."""
    mac: str
    ipv4: str
    """Who it claims to be."""
    refused: int
    """How many such frames came from the host so far."""


class Routes(Message, frozen=True, tag="routes"):
    """Routes now installed and confirmed: all of them in a snapshot, else the changed ones.

    `cause` is one of "baseline", "adoption" (found in the switches by a new controller),
    "restoration" (after a port-status), "request", "snapshot", `OBSERVED`.
    """

    cause: str
    routes: tuple[Route, ...]
    flows: tuple[FlowRoute, ...] = ()
    """Flows with a path of their own, or without one again."""
    dropped: tuple[DroppedPair, ...] = ()
    """In a snapshot, and with an adoption: what clients have had dropped, be it by an earlier
    controller."""


class RerouteDone(Message, frozen=True, tag="reroute-done"):
    """Answer to `Reroute`, with the time at which each phase was confirmed by barriers."""

    request_id: str
    received_s: float
    installed_s: float
    """New path present behind the ingress."""
    switched_s: float
    """Ingress entries point to the new path."""
    removed_s: float
    """Old path gone, after the drain."""
    applied: tuple[Route, ...]
    refused: tuple[Refusal, ...]
    applied_flows: tuple[FlowRoute, ...] = ()


class DropDone(Message, frozen=True, tag="drop-done"):
    """Answer to `Drop` and `Allow`; `reason` is empty when it was carried out."""

    request_id: str
    received_s: float
    applied_s: float
    reason: str = ""
    src: str = ""
    dst: str = ""
    dropped: bool = False
    """Whether the pair is, or will be as soon as its switch is back."""


# --- client to controller -------------------------------------------------------------------


class Reroute(msgspec.Struct, frozen=True, tag_field="type", tag="reroute", omit_defaults=True):
    """Move OD pairs, and single flows of pairs, to new paths, make-before-break."""

    request_id: str
    moves: tuple[Route, ...] = ()
    flows: tuple[FlowRoute, ...] = ()


class Drop(msgspec.Struct, frozen=True, tag_field="type", tag="drop"):
    """Drop all packets of one OD pair at its ingress switch."""

    request_id: str
    src: str
    dst: str


class Allow(msgspec.Struct, frozen=True, tag_field="type", tag="allow"):
    """Take a `Drop` back."""

    request_id: str
    src: str
    dst: str


FromController = (
    Hello
    | Ready
    | DatapathState
    | PortStats
    | OdStats
    | LinkState
    | GroupStats
    | MeterStats
    | LinkDelays
    | SwitchHealth
    | Gap
    | LinkSilence
    | Discovery
    | SpoofedArp
    | Routes
    | RerouteDone
    | DropDone
)
FromClient = Reroute | Drop | Allow

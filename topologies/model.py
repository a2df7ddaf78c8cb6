"""The network as everyone else sees it: switches, hosts, links, and the words for routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

OdPair = tuple[str, str]
"""Origin and destination host names."""

Path = tuple[str, ...]
"""Switch names from the ingress to the egress switch, both included."""

DirectedLink = tuple[str, str]
"""(from node, to node): one direction of a link."""

Routing = Mapping[OdPair, Path]
"""The path of every OD pair."""


@dataclass(frozen=True)
class Split:
    """Paths of one OD pair over which its flows are spread; a flow keeps to one of them."""

    branches: tuple[tuple[Path, int], ...]
    """Paths, with weights: whole numbers from 1."""


Way = Path | Split
"""How an OD pair is routed."""

Ways = Mapping[OdPair, Way]
"""The way of every OD pair."""


@dataclass(frozen=True)
class Switch:
    """An OpenFlow switch. `name` is short (it prefixes interface names); `label` is for people."""

    name: str
    label: str
    zone: str | None = None
    position: tuple[float, float] | None = None
    """(longitude, latitude) in degrees, or any plane coordinates."""


@dataclass(frozen=True)
class Host:
    """A host, attached to exactly one switch by an access link of its own."""

    name: str
    label: str
    switch: str
    zone: str | None = None


JitterDistribution = Literal["normal", "uniform", "pareto"]

Queueing = Literal["fifo", "priority"]


@dataclass(frozen=True)
class LinkShape:
    """What a link does to frames, the same in both directions.

    `queue_packets` bounds the frames waiting for the transmitter; one more is tail-dropped. With
    `queue_bytes`, their bytes are bounded instead. Each queue has this bound for itself.
    """

    rate_bps: float
    delay_ms: float
    jitter_ms: float = 0.0
    """Standard deviation of the delay (uniform: half of its range)."""
    loss_percent: float = 0.0
    """Mean share of frames lost on the way."""
    queue_packets: int = 100
    queue_bytes: int | None = None
    jitter_distribution: JitterDistribution = "normal"
    jitter_correlation_percent: float = 0.0
    """How much the jitter of a frame resembles that of the one before; see tc-netem(8)."""
    reordering: bool = False
    """Whether a frame with little jitter may overtake; otherwise order is kept."""
    loss_burst_packets: float | None = None
    """Mean number of frames lost in a row (the Gilbert model); None: each is lost by itself."""
    duplicate_percent: float = 0.0
    corrupt_percent: float = 0.0
    """Share of frames in which one bit is flipped."""
    queueing: Queueing = "fifo"
    """One queue, or one each for network control, expedited and best effort, in that order of
    strict priority (testbed/links/service_class.py). Cannot change during a run."""


@dataclass(frozen=True)
class Link:
    """An undirected link between two nodes (switches or hosts), at most one per pair."""

    a: str
    b: str
    shape: LinkShape

    @property
    def directions(self) -> tuple[DirectedLink, DirectedLink]:
        """Both directions, a to b first."""
        return (self.a, self.b), (self.b, self.a)


IpProtocol = Literal["tcp", "udp", "icmp"]
"""What a policy may be about; `icmp` is ICMPv6 in IPv6."""


@dataclass(frozen=True)
class RateLimit:
    """What may enter the network: `rate_bps` of Ethernet frames, `burst_bits` of them at once."""

    rate_bps: float
    burst_bits: float


@dataclass(frozen=True)
class Policy:
    """What becomes of the packets from one part of the network to another; without `deny`,
    `limit` and `dscp` they pass as they are."""

    source: str
    """A host, a zone (all hosts in it), or `any`."""
    target: str
    protocol: IpProtocol | None = None
    """None: any."""
    port: int | None = None
    """Destination port, of TCP or UDP; None: any."""
    deny: bool = False
    limit: RateLimit | None = None
    dscp: int | None = None
    """The differentiated services code point that they get (RFC 2474)."""


@dataclass(frozen=True)
class Topology:
    """A network. `links` holds core links (between switches) and access links (host first)."""

    name: str
    switches: tuple[Switch, ...]
    hosts: tuple[Host, ...]
    links: tuple[Link, ...]
    policies: tuple[Policy, ...] = ()
    """In order: the first that a packet matches decides. What none matches passes as it is."""

    @cached_property
    def switch_of(self) -> Mapping[str, str]:
        """Host name to the name of its switch."""
        return {host.name: host.switch for host in self.hosts}

    @cached_property
    def zone_of(self) -> Mapping[str, str | None]:
        """Host name to its zone."""
        return {host.name: host.zone for host in self.hosts}

    @cached_property
    def core_links(self) -> tuple[Link, ...]:
        """The links between switches."""
        return tuple(link for link in self.links if link.a not in self.switch_of)

    @cached_property
    def access_links(self) -> tuple[Link, ...]:
        """The links between a host and its switch."""
        return tuple(link for link in self.links if link.a in self.switch_of)

    @cached_property
    def link_between(self) -> Mapping[DirectedLink, Link]:
        """The link of each direction."""
        return {direction: link for link in self.links for direction in link.directions}

    @cached_property
    def core_directions(self) -> tuple[DirectedLink, ...]:
        """Every direction of every core link: the order of all per-link arrays."""
        return tuple(direction for link in self.core_links for direction in link.directions)

    @cached_property
    def od_pairs(self) -> tuple[OdPair, ...]:
        """Every ordered pair of distinct hosts: the order of all per-pair arrays.

        A traffic matrix is a float array (hosts, hosts) in bit/s, in the order of `hosts`,
        with a zero diagonal.
        """
        names = [host.name for host in self.hosts]
        return tuple((source, target) for source in names for target in names if source != target)

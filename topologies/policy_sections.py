"""The `policies` of a network file, and their conversion to `topologies.model.Policy`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from topologies.documents import ANY, Document, Problem, did_you_mean
from topologies.model import IpProtocol, Policy, RateLimit
from topologies.policies import ANYONE, DSCP
from topologies.validation import Count, Number, Section

_BURST_S = 0.1
_LEAST_BURST_KBIT = 13  # one frame of 1514 bytes

DscpClass = Literal[
    "best-effort", "AF11", "AF12", "AF13", "AF21", "AF22", "AF23", "AF31", "AF32", "AF33", "AF41",
    "AF42", "AF43", "EF",
]  # fmt: skip


class _PolicySection(Section):
    """Which packets it is about."""

    source: str = Field(alias="from", description="give a host, a zone, or any")
    target: str = Field(alias="to", description="give a host, a zone, or any")
    protocol: IpProtocol | None = Field(
        default=None, description="give tcp, udp or icmp, or leave it out for every packet"
    )
    port: Count | None = Field(
        default=None, ge=1, le=65535, description="give the destination port, 1 to 65535"
    )


class Allow(_PolicySection):
    """Packets pass as they are, whatever later policies say."""

    action: Literal["allow"]


class Deny(_PolicySection):
    """Packets are dropped where they enter the network."""

    action: Literal["deny"]


class Limit(_PolicySection):
    """At each switch where they enter, packets beyond a rate are dropped."""

    action: Literal["limit"]
    rate_mbps: Number = Field(
        ge=0.01, le=1e6, description="give the rate of whole Ethernet frames in Mbit/s, from 0.01"
    )
    burst_kbit: Number | None = Field(
        default=None,
        ge=_LEAST_BURST_KBIT,
        le=4e6,
        description="give how many kbit may pass at once, at least 13 (one large frame); without "
        "it, 100 ms at the rate",
    )


class Class(_PolicySection):
    """Packets get the code point of a service class where they enter the network."""

    action: Literal["class"]
    dscp: DscpClass = Field(
        description="give the class's name; CS6 and CS7 are reserved for network control"
    )


PolicySection = Annotated[Allow | Deny | Limit | Class, Field(discriminator="action")]


def to_policy(section: Allow | Deny | Limit | Class) -> Policy:
    """Fill in all defaults."""
    policy = Policy(section.source, section.target, section.protocol, section.port)
    match section:
        case Deny():
            return replace(policy, deny=True)
        case Limit():
            return replace(policy, limit=_rate_limit(section))
        case Class():
            return replace(policy, dscp=DSCP[section.dscp])
    return policy


def _rate_limit(section: Limit) -> RateLimit:
    rate_bps = section.rate_mbps * 1e6
    if section.burst_kbit is None:
        return RateLimit(rate_bps, max(rate_bps * _BURST_S, _LEAST_BURST_KBIT * 1e3))
    return RateLimit(rate_bps, section.burst_kbit * 1e3)


def policy_problems(document: Document) -> Iterator[Problem]:
    """What in the policies does not go together, among themselves and with the network."""
    yield from _bad_ends(document)
    for path, policy in document.select("policies", ANY):
        if not isinstance(policy, dict) or policy.get("port") is None:
            continue
        if policy.get("protocol") not in ("tcp", "udp"):
            message = "only tcp and udp have ports"
            yield document.problem((*path, "port"), message, "give the protocol, or no port")


def _bad_ends(document: Document) -> Iterator[Problem]:
    hosts = [str(path[-1]) for path, _ in document.select("hosts", ANY)]
    zones = list(dict.fromkeys(str(zone) for _, zone in document.select("zones", ANY)))
    known = [*hosts, *zones, ANYONE]
    switches = [switch for _, switch in document.select("hosts", ANY, "switch")]
    inhabited = [
        zone for path, zone in document.select("switches", ANY, "zone") if path[1] in switches
    ]
    for path, name in document.select("policies", ANY, ANY):
        if path[-1] not in ("from", "to") or not isinstance(name, str):
            continue
        if name not in known:
            message = f"there is no host or zone {name!r}"
            yield document.problem(path, message, did_you_mean(name, dict.fromkeys(known)))
        elif known.count(name) > 1:
            message = f"{name!r} stands for more than one of host, zone and any"
            yield document.problem(path, message, "give the zone another name")
        elif name in zones and name not in inhabited:
            message = f"no host is in the zone {name!r}"
            yield document.problem(path, message, "a host is in the zone of its switch")

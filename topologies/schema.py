"""The YAML schema of a network, and its conversion to `topologies.model.Topology`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Annotated

import networkx as nx
from pydantic import Field, StringConstraints

from topologies.documents import ANY, Document, KeyPath, Problem, did_you_mean, read_document
from topologies.model import (
    Host,
    JitterDistribution,
    Link,
    LinkShape,
    Queueing,
    Switch,
    Topology,
)
from topologies.policy_sections import PolicySection, policy_problems, to_policy
from topologies.validation import Count, Flag, Number, Section, Text, validate

NAME_PATTERN = r"^[a-z][a-z0-9-]{0,8}$"
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
_INTERFACE_CHARACTERS = 15
"""Linux allows the name of an interface so many."""

_NAME_RULE = (
    "a name has 1 to 9 characters of a-z, 0-9 and -, a letter first: interfaces are called "
    f"<name>-eth<port>, and Linux allows them {_INTERFACE_CHARACTERS} characters"
)


CORE_SHAPE = LinkShape(rate_bps=10e6, delay_ms=1.0, queue_packets=100)
ACCESS_SHAPE = LinkShape(rate_bps=1e9, delay_ms=0.0, queue_packets=100)
"""Shapes of links where the document says nothing. Hosts are no bottleneck unless it says so."""

_FRAME_BYTES = 1514
"""Of Ethernet's usual MTU and header."""

_BURST_KEYS = ("loss_percent", "loss_burst_packets")


class ShapeSection(Section):
    """What a link does to frames, in either direction. What is absent comes from `defaults`."""

    rate_mbps: Number | None = Field(
        default=None, gt=0, description="give the rate of one direction in Mbit/s"
    )
    delay_ms: Number | None = Field(
        default=None,
        ge=0,
        description="give the one-way propagation delay in milliseconds",
    )
    jitter_ms: Number | None = Field(
        default=None,
        ge=0,
        description="give the standard deviation of the delay in milliseconds, 0 for none",
    )
    jitter_distribution: JitterDistribution | None = Field(
        default=None, description="give normal, uniform or pareto (a long tail of late frames)"
    )
    jitter_correlation_percent: Number | None = Field(
        default=None,
        ge=0,
        le=100,
        description="give how much the jitter of a frame resembles that of the one before, 0 to "
        "100",
    )
    reordering: Flag | None = Field(
        default=None,
        description="give true if jitter may let a frame overtake, false if order is kept",
    )
    loss_percent: Number | None = Field(
        default=None, ge=0, le=100, description="give the share of frames lost at random, 0 to 100"
    )
    loss_burst_packets: Number | None = Field(
        default=None,
        ge=1,
        description="give how many frames are lost in a row on average, at least 1, or leave it "
        "out if each is lost by itself",
    )
    duplicate_percent: Number | None = Field(
        default=None, ge=0, le=100, description="give the share of frames that arrive twice"
    )
    corrupt_percent: Number | None = Field(
        default=None,
        ge=0,
        le=100,
        description="give the share of frames in which one bit is flipped, 0 to 100",
    )
    queue_packets: Count | None = Field(
        default=None,
        ge=1,
        description="give how many frames may wait to be sent, at least 1",
    )
    queue_bytes: Count | None = Field(
        default=None,
        ge=_FRAME_BYTES,
        description="give how many bytes may wait to be sent, instead of packets: at least one "
        f"large frame of {_FRAME_BYTES}",
    )
    queueing: Queueing | None = Field(
        default=None,
        description="give fifo for one queue, or priority: network control (CS6, CS7) goes first, "
        "then expedited (EF, CS5), then all else, each with a queue of its own",
    )

    def over(self, shape: LinkShape) -> LinkShape:
        """Return `shape` with what is given here in its place."""
        given = self.model_dump(include=set(ShapeSection.model_fields), exclude_none=True)
        if "rate_mbps" in given:
            given["rate_bps"] = given.pop("rate_mbps") * 1e6
        if "queue_packets" in given:
            given["queue_bytes"] = None
        return replace(shape, **given)


class DefaultsSection(Section):
    """Shapes of the links that say nothing else themselves."""

    core: ShapeSection = Field(default=ShapeSection(), description="those between switches")
    access: ShapeSection = Field(
        default=ShapeSection(), description="those between host and switch"
    )


class SwitchSection(Section):
    """An OpenFlow switch."""

    zone: str | None = Field(default=None, description="give one of the zones")
    label: Text | None = Field(default=None, description="give the name that people know it by")
    at: tuple[Number, Number] | None = Field(
        default=None, description="give [x, y]: longitude and latitude, or any plane coordinates"
    )


class HostSection(ShapeSection):
    """A host, with the shape of its access link."""

    switch: str = Field(description="give the switch that the host is attached to")
    label: Text | None = Field(default=None, description="give the name that people know it by")


class LinkSection(ShapeSection):
    """A link between two switches."""

    between: tuple[str, str] = Field(description="give the two switches that it joins: [s1, s2]")


class NetworkDocument(Section):
    """A network: switches with hosts, joined by links."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")] = Field(
        description="a-z, 0-9 and -"
    )
    defaults: DefaultsSection = Field(
        default=DefaultsSection(), description="shapes of links that say nothing else themselves"
    )
    zones: list[Text] = Field(default=[], description="list the parts of the network")
    switches: dict[Name, SwitchSection] = Field(min_length=1, description=_NAME_RULE)
    hosts: dict[Name, HostSection] = Field(min_length=1, description=_NAME_RULE)
    links: list[LinkSection] = Field(default=[], description="list the links between switches")
    policies: list[PolicySection] = Field(
        default=[],
        max_length=1000,
        description="list who may send what to whom; the first that a packet matches decides",
    )


def load_network(path: Path) -> Topology:
    """Read the YAML file at `path`.

    Raises:
        DocumentError: with every problem of the file.
    """
    checks = (
        _unknown_names,
        _names_taken,
        _interfaces_taken,
        _too_many_ports,
        _bad_links,
        _disconnected,
        _impossible_bursts,
        _double_bounds,
        policy_problems,
    )
    return to_topology(validate(read_document(path), NetworkDocument, checks))


def most_loss_percent(burst_packets: float) -> float:
    """Return the most that bursts can lose: between two of them a frame at least gets through."""
    return 100 * burst_packets / (burst_packets + 1)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of a network file, for editors that complete and check YAML."""
    return NetworkDocument.model_json_schema()


def to_topology(network: NetworkDocument) -> Topology:
    """Fill in all defaults."""
    core = network.defaults.core.over(CORE_SHAPE)
    access = network.defaults.access.over(ACCESS_SHAPE)
    switches = tuple(
        Switch(name, section.label or name, section.zone, section.at)
        for name, section in network.switches.items()
    )
    hosts = tuple(
        Host(name, section.label or name, section.switch, network.switches[section.switch].zone)
        for name, section in network.hosts.items()
    )
    core_links = (Link(*section.between, section.over(core)) for section in network.links)
    access_links = (
        Link(name, section.switch, section.over(access)) for name, section in network.hosts.items()
    )
    policies = tuple(to_policy(section) for section in network.policies)
    return Topology(network.name, switches, hosts, tuple(chain(core_links, access_links)), policies)


def _switch_names(document: Document) -> list[str]:
    names = [path[-1] for path, _ in document.select("switches", ANY)]
    return [name for name in names if isinstance(name, str)]


def _unknown_names(document: Document) -> Iterator[Problem]:
    zones = [str(zone) for _, zone in document.select("zones", ANY)]
    yield from _not_among(document, "zone", zones, ("switches", ANY, "zone"))
    if switches := _switch_names(document):
        yield from _not_among(document, "switch", switches, ("hosts", ANY, "switch"))
        yield from _not_among(document, "switch", switches, ("links", ANY, "between", ANY))


def _not_among(
    document: Document, kind: str, known: list[str], pattern: KeyPath
) -> Iterator[Problem]:
    for path, name in document.select(*pattern):
        if isinstance(name, str) and name not in known:
            message = f"there is no {kind} {name!r}"
            yield document.problem(path, message, did_you_mean(name, known))


def _names_taken(document: Document) -> Iterator[Problem]:
    switches = _switch_names(document)
    for path, _ in document.select("hosts", ANY):
        if path[-1] in switches:
            yield document.problem(path, "is the name of a switch already", "choose another name")


def _interfaces_taken(document: Document) -> Iterator[Problem]:
    """A switch is an interface too, of its own name, beside those of all links."""
    taken = {"lo", *(f"{path[-1]}-eth0" for path, _ in document.select("hosts", ANY))}
    for switch, ports in _ports(document).items():
        taken |= {f"{switch}-eth{port}" for port in range(1, ports + 1)}
    for name in taken.intersection(_switch_names(document)):
        message = "is the name of an interface already"
        yield document.problem(("switches", name), message, "choose another name")


def _too_many_ports(document: Document) -> Iterator[Problem]:
    ports = _ports(document)
    for name in _switch_names(document):
        last = f"{name}-eth{ports[name]}"
        if len(last) > _INTERFACE_CHARACTERS and re.match(NAME_PATTERN, name):
            message = (
                f"its {ports[name]} ports are too many for this name: Linux allows an interface "
                f"like {last} {_INTERFACE_CHARACTERS} characters"
            )
            yield document.problem(("switches", name), message, "shorten the name")


def _ports(document: Document) -> Counter[str]:
    """How many each switch has."""
    patterns = (("hosts", ANY, "switch"), ("links", ANY, "between", ANY))
    found = (name for pattern in patterns for _, name in document.select(*pattern))
    return Counter(name for name in found if isinstance(name, str))


def _bad_links(document: Document) -> Iterator[Problem]:
    first: dict[frozenset[object], str] = {}
    for path, between in document.select("links", ANY, "between"):
        if not _is_pair(between):
            continue
        if between[0] == between[1]:
            hint = "a link joins two different switches"
            yield document.problem(path, f"joins {between[0]!r} to itself", hint)
            continue
        earlier = first.setdefault(frozenset(between), f"links[{path[1]}]")
        if earlier != f"links[{path[1]}]":
            message = f"joins {between[0]} and {between[1]} as {earlier} does already"
            yield document.problem(path, message, "keep one and give it the sum of the rates")


def _disconnected(document: Document) -> Iterator[Problem]:
    switches = _switch_names(document)
    pairs = [between for _, between in document.select("links", ANY, "between")]
    if not all(_is_pair(pair) and set(pair) <= set(switches) for pair in pairs):
        return  # already complained of, and perhaps the cause
    graph = nx.Graph(pairs)
    graph.add_nodes_from(switches)
    by_size = sorted(nx.connected_components(graph), key=len, reverse=True)
    for island in map(sorted, by_size[1:]):
        message = f"no link leads from {', '.join(island)} to the other switches"
        yield document.problem(("switches", island[0]), message, "add a link")


def _impossible_bursts(document: Document) -> Iterator[Problem]:
    """What is lost, bursts can make up."""
    for path, kind in _shapes(document):
        own = [document.get(*path, key) for key in _BURST_KEYS]
        if own == [None, None]:
            continue  # what it inherits has been judged
        loss, burst = (
            document.get("defaults", kind, key) if given is None else given
            for key, given in zip(_BURST_KEYS, own, strict=True)
        )
        if not (_is_number(loss) and _is_number(burst) and 0 <= loss <= 100 and burst >= 1):
            continue
        most = most_loss_percent(burst)
        if loss > most:
            message = f"{loss:g} % cannot be lost in bursts of {burst:g} frames on average"
            hint = f"lose at most {most:.4g} %, or lengthen the bursts"
            key = _BURST_KEYS[own[0] is None]
            yield document.problem((*path, key), message, hint)


def _double_bounds(document: Document) -> Iterator[Problem]:
    for path, _ in _shapes(document):
        if None not in (document.get(*path, "queue_packets"), document.get(*path, "queue_bytes")):
            message = "bounds the same queue as queue_packets"
            yield document.problem((*path, "queue_bytes"), message, "keep one of them")


def _shapes(document: Document) -> Iterator[tuple[KeyPath, str]]:
    """Where shapes are described, each with the defaults that it goes by."""
    for pattern, kind in (
        (("defaults", "core"), "core"),
        (("defaults", "access"), "access"),
        (("hosts", ANY), "access"),
        (("links", ANY), "core"),
    ):
        for path, _ in document.select(*pattern):
            yield path, kind


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_pair(between: object) -> bool:
    return (
        isinstance(between, list)
        and len(between) == 2
        and all(isinstance(name, str) for name in between)
    )

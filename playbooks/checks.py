"""What in a playbook does not go together, beyond its schema."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import networkx as nx

from generators.sampling import eligible_sources
from playbooks.expectations import METRICS
from topologies.catalogue import load_topology, with_core_shape
from topologies.documents import (
    ANY,
    Document,
    DocumentError,
    KeyPath,
    Problem,
    did_you_mean,
)
from topologies.model import Host, LinkShape, Switch, Topology
from topologies.schema import most_loss_percent

BUSIEST = "busiest"
"""In place of a name: the one that carries most under the baseline routes."""


def located(use: str, folder: Path) -> str:
    """Return the network's name; a file is looked for from the playbook's `folder`."""
    return str((folder / use).resolve()) if use.endswith((".yaml", ".yml")) else use


def canonical_names(nodes: Iterable[Switch | Host]) -> Mapping[str, str]:
    """Return every word that means one of `nodes`, with its name: names, labels of only one."""
    known = list(nodes)
    labels = Counter(node.label for node in known)
    names = {node.name: node.name for node in known}
    return names | {
        node.label: node.name
        for node in known
        if labels[node.label] == 1 and node.label not in names
    }


def most_sources(topology: Topology, victim: str) -> int:
    """How many hosts may flood `victim`; if that is chosen later, how many may flood any host."""
    victims = [victim] if victim in topology.switch_of else topology.switch_of
    return min(len(eligible_sources(topology, one)) for one in victims)


def network_exists(document: Document) -> Iterator[Problem]:
    """The network, and all nodes that the timeline names."""
    use = document.get("topology", "use")
    if not isinstance(use, str):
        return
    try:
        topology = load_topology(located(use, Path(document.file).parent))
    except DocumentError as error:
        for problem in error.problems:
            if problem.line is not None:
                yield problem
            else:
                message = f"{problem.file}: {problem.message}"
                yield document.problem(("topology", "use"), message, problem.hint)
        return
    yield from _unknown_nodes(document, topology)
    yield from _unknown_links(document, topology)
    yield from _foreign_ends(document, topology)
    yield from _no_link_to_spare(document, topology)
    yield from _impossible_floods(document, topology)
    yield from _impossible_degradations(document, topology)


def times_fit(document: Document) -> Iterator[Problem]:
    """Everything happens while there is traffic; floods are made of whole steps."""
    steps = document.get("traffic", "steps")
    interval_s = document.get("traffic", "interval_s")
    if not (_is_number(steps) and _is_number(interval_s) and interval_s > 0):
        return
    first = document.get("measure", "from_step")
    if _is_number(first) and first >= steps:
        message = f"{first} is not below the {steps:g} steps of the traffic"
        yield document.problem(("measure", "from_step"), message, "steps count from 0")
    end_s = steps * interval_s
    for path, event in document.select("timeline", ANY):
        if not isinstance(event, dict) or not _is_number(event.get("at_s")):
            continue
        if event["at_s"] >= end_s:
            message = f"{event['at_s']:g} is not before the end of the traffic at {end_s:g} s"
            yield document.problem((*path, "at_s"), message, "that is steps x interval_s")
        else:
            yield from _too_long(document, path, event, end_s)
        if event.get("do") == "flood":
            yield from _broken_steps(document, path, event, interval_s)


def degradations_degrade(document: Document) -> Iterator[Problem]:
    """A degradation says what gets worse, and gets there before it ends."""
    for path, event in document.select("timeline", ANY):
        if not isinstance(event, dict) or event.get("do") != "degrade":
            continue
        if all(event.get(name) is None for name in ("loss_percent", "delay_ms", "rate_mbps")):
            yield document.problem(path, "says neither loss_percent nor delay_ms nor rate_mbps")
        over_s, for_s = event.get("over_s"), event.get("for_s")
        if _is_number(over_s) and _is_number(for_s) and over_s > for_s:
            message = f"{over_s:g} is more than for_s, {for_s:g}"
            yield document.problem((*path, "over_s"), message, "it must get there before it ends")


def crashes_apart(document: Document) -> Iterator[Problem]:
    """Controller and twin crash only while they run."""
    for process in ("controller", "twin"):
        yield from _dead_already(document, process)


def metrics_known(document: Document) -> Iterator[Problem]:
    """Only known metrics are expected."""
    for path, _ in document.select("expect", ANY):
        if path[-1] not in METRICS:
            yield document.problem(path, "is not a metric", did_you_mean(path[-1], METRICS))


CHECKS = (
    network_exists,
    times_fit,
    degradations_degrade,
    crashes_apart,
    metrics_known,
)


def _dead_already(document: Document, process: str) -> Iterator[Problem]:
    crashes = [
        (event["at_s"], event["for_s"], path)
        for path, event in document.select("timeline", ANY)
        if isinstance(event, dict)
        and event.get("do") == f"{process}-crash"
        and _is_number(event.get("at_s"))
        and _is_number(event.get("for_s"))
    ]
    dead_until_s = -math.inf
    for at_s, for_s, path in sorted(crashes, key=lambda crash: crash[0]):
        if at_s <= dead_until_s + 1e-6:
            message = f"the {process} is dead until {dead_until_s:g} s already"
            hint = "let it crash later, or take this one out"
            yield document.problem((*path, "at_s"), message, hint)
        dead_until_s = max(dead_until_s, at_s + for_s)


def _unknown_nodes(document: Document, topology: Topology) -> Iterator[Problem]:
    switches = canonical_names(topology.switches)
    for kind, nodes, pattern in (
        ("switch", switches, ("switch",)),
        ("switch", switches, ("link", ANY)),
        ("host", canonical_names(topology.hosts), ("victim",)),
        ("host", canonical_names(topology.hosts), ("host",)),
    ):
        for path, name in document.select("timeline", ANY, *pattern):
            chosen_later = name == BUSIEST and "link" not in path
            if isinstance(name, str) and name not in nodes and not chosen_later:
                message = f"{topology.name} has no {kind} {name!r}"
                yield document.problem(path, message, did_you_mean(name, nodes))


def _unknown_links(document: Document, topology: Topology) -> Iterator[Problem]:
    names = canonical_names(topology.switches)
    for path, link in document.select("timeline", ANY, "link"):
        ends = [names.get(str(end)) for end in link] if isinstance(link, list) else []
        if len(ends) != 2 or None in ends or tuple(ends) in topology.core_directions:
            continue
        neighbours = [b for a, b in topology.core_directions if a == ends[0]]
        message = f"no link joins {link[0]} and {link[1]}"
        yield document.problem(path, message, f"{ends[0]} is joined to {', '.join(neighbours)}")


def _foreign_ends(document: Document, topology: Topology) -> Iterator[Problem]:
    """The end that a fault is about belongs to its link."""
    names = canonical_names(topology.switches)
    for key in ("end", "from"):
        for path, end in document.select("timeline", ANY, key):
            link = document.get(*path[:-1], "link")
            if link == BUSIEST:
                message = f"nobody knows yet whether {end} is an end of the busiest link"
                yield document.problem(path, message, "leave it out, or name the link")
                continue
            ends = [names.get(str(one)) for one in link] if isinstance(link, list) else [None]
            if None not in ends and names.get(str(end)) not in ends:
                message = f"{end} is not an end of this link"
                yield document.problem(path, message, f"one of {', '.join(map(str, link))}")


def _no_link_to_spare(document: Document, topology: Topology) -> Iterator[Problem]:
    """The busiest link is chosen among those whose loss disconnects nobody."""
    graph = nx.Graph((link.a, link.b) for link in topology.core_links)
    if len(list(nx.bridges(graph))) < len(topology.core_links):
        return
    for path, link in document.select("timeline", ANY, "link"):
        if link == BUSIEST:
            message = f"every link of {topology.name} disconnects somebody when it fails"
            yield document.problem(path, message, "name the two switches of one, or add a link")


def _impossible_floods(document: Document, topology: Topology) -> Iterator[Problem]:
    """A run has one flood, by hosts that are not on the victim's switch."""
    names = canonical_names(topology.hosts)
    floods = [
        (path, event)
        for path, event in document.select("timeline", ANY)
        if isinstance(event, dict) and event.get("do") == "flood"
    ]
    for path, _ in floods[1:]:
        yield document.problem((*path, "do"), "is a further flood", "a run has one: take it out")
    for path, flood in floods:
        victim, sources = str(flood.get("victim")), flood.get("sources")
        whom = "the busiest" if victim == BUSIEST else victim
        most = most_sources(topology, names.get(victim, BUSIEST))
        if not most:
            hint = "choose another victim, or add a host"
            yield document.problem(path, f"no host is on another switch than {whom}", hint)
        elif _is_number(sources) and sources > most:
            message = (
                f"{sources} attackers are more than the {most} hosts on other switches than {whom}"
            )
            yield document.problem((*path, "sources"), message, "choose fewer sources")


def _impossible_degradations(document: Document, topology: Topology) -> Iterator[Problem]:
    """They make their link worse than it is; the busiest could be any, so one is enough."""
    shape_of: dict[tuple[str, ...], LinkShape] = {
        direction: link.shape
        for link in _as_asked(document, topology).core_links
        for direction in link.directions
    }
    names = canonical_names(topology.switches)
    for path, event in document.select("timeline", ANY):
        if not isinstance(event, dict) or event.get("do") != "degrade":
            continue
        link = event.get("link")
        ends = tuple(names.get(str(end), "") for end in link) if isinstance(link, list) else ()
        meant = list(shape_of.values()) if link == BUSIEST else [shape_of.get(ends)]
        if shapes := [shape for shape in meant if shape is not None]:
            yield from _no_worse(document, path, event, shapes)
            yield from _scattered(document, path, event.get("loss_percent"), shapes)


def _as_asked(document: Document, topology: Topology) -> Topology:
    """With the rate and the delays of the playbook."""
    rate_mbps, factor = (document.get("topology", key) for key in ("rate_mbps", "delay_factor"))
    return with_core_shape(
        topology,
        rate_bps=rate_mbps * 1e6 if _is_number(rate_mbps) else None,
        delay_factor=factor if _is_number(factor) else 1.0,
    )


def _no_worse(
    document: Document, path: KeyPath, event: dict[Any, Any], shapes: Sequence[LinkShape]
) -> Iterator[Problem]:
    hint = "a degradation makes a link worse"
    for key, least in (
        ("loss_percent", min(shape.loss_percent for shape in shapes)),
        ("delay_ms", min(shape.delay_ms for shape in shapes)),
    ):
        if _is_number(value := event.get(key)) and 0 < value <= least:
            message = f"{value:g} is not above {least:g}, as it is anyway"
            yield document.problem((*path, key), message, hint)
    most_mbps = max(shape.rate_bps for shape in shapes) / 1e6
    if _is_number(rate_mbps := event.get("rate_mbps")) and rate_mbps >= most_mbps:
        message = f"{rate_mbps:g} is not below {most_mbps:g}, as it is anyway"
        yield document.problem((*path, "rate_mbps"), message, hint)


def _scattered(
    document: Document, path: KeyPath, loss_percent: object, shapes: Sequence[LinkShape]
) -> Iterator[Problem]:
    """What is lost in bursts leaves a frame between them, unless all is lost."""
    burst = max(shape.loss_burst_packets or math.inf for shape in shapes)
    if not (_is_number(loss_percent) and loss_percent < 100 and math.isfinite(burst)):
        return
    if loss_percent > (most := most_loss_percent(burst)):
        message = f"{loss_percent:g} % cannot be lost in bursts of {burst:g} frames on average"
        hint = f"lose at most {most:.4g} %, or all"
        yield document.problem((*path, "loss_percent"), message, hint)


def _too_long(
    document: Document, path: tuple[Any, ...], event: dict[Any, Any], end_s: float
) -> Iterator[Problem]:
    lasting_s = {key: event[key] for key in ("for_s", "over_s") if _is_number(event.get(key))}
    times, down_s, up_s = (event.get(key) for key in ("times", "down_s", "up_s"))
    if _is_number(times) and _is_number(down_s) and _is_number(up_s):
        lasting_s["times"] = times * (down_s + up_s) - up_s
    for key, last_s in lasting_s.items():
        if event["at_s"] + last_s > end_s + 1e-9:
            message = f"lasts until {event['at_s'] + last_s:g} s, after the traffic's end"
            yield document.problem((*path, key), message, f"that is at {end_s:g} s")


def _broken_steps(
    document: Document, path: tuple[Any, ...], flood: dict[Any, Any], interval_s: float
) -> Iterator[Problem]:
    for key in ("at_s", "for_s"):
        if not _is_number(flood.get(key)):
            continue
        steps = flood[key] / interval_s
        if not math.isclose(steps, round(steps), abs_tol=1e-9):
            message = f"{flood[key]:g} is not a multiple of interval_s, {interval_s:g}"
            yield document.problem((*path, key), message, "a flood is part of the traffic's steps")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)

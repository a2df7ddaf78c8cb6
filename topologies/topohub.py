"""Real networks from the topohub package: SNDlib (with demands), Topology Zoo, and others.

P. Jurkiewicz, "TopoHub: A repository of reference Gabriel graph and real-world topologies for
networking research", SoftwareX 24, 2023. The package brings its data: no network is needed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import topohub

from topologies.documents import DocumentError, Problem, did_you_mean
from topologies.loads import FloatArray
from topologies.model import Host, Link, LinkShape, Switch, Topology
from topologies.schema import ACCESS_SHAPE, CORE_SHAPE

PREFIX = "topohub:"
MAX_SWITCHES = 64
"""More do not run at a useful speed on one machine, with a process or two a host."""

_DETOUR = 1.5
"""Fibre follows roads: its length over the distance as the crow flies."""
_KM_PER_MS = 200.0
"""Speed of light in glass."""


def load_topohub(name: str) -> Topology:
    """Return the network `name`, e.g. `topohub:sndlib/abilene`, with one host a switch.

    Switches are s1, s2, ... in the order of the data and hosts h1, h2, ...; labels are the names
    there. Delays follow from the distances; rates and queues are the defaults of
    `topologies.schema`, for the data knows none. Parallel links are merged.

    Raises:
        DocumentError: there is no such network, it is too large, or it is not connected.
    """
    data = _data(name)
    graph = nx.Graph()
    graph.add_nodes_from(node["id"] for node in data["nodes"])
    graph.add_weighted_edges_from(
        (
            (e["source"], e["target"], e["dist"])
            for e in data["edges"]
            if e["source"] != e["target"]
        ),
        weight="dist",
    )
    _refuse_unsuitable(name, graph)
    number = {node["id"]: index for index, node in enumerate(data["nodes"], start=1)}
    switches = tuple(
        Switch(f"s{n}", node.get("name") or f"s{n}", position=_position(node))
        for n, node in enumerate(data["nodes"], start=1)
    )
    hosts = tuple(Host(f"h{n}", s.label, s.name) for n, s in enumerate(switches, start=1))
    core_links = tuple(
        Link(f"s{number[a]}", f"s{number[b]}", _shape(dist_km))
        for a, b, dist_km in graph.edges(data="dist")
    )
    access_links = tuple(Link(host.name, host.switch, ACCESS_SHAPE) for host in hosts)
    return Topology(name.removeprefix(PREFIX), switches, hosts, core_links + access_links)


def demand_matrix(name: str) -> FloatArray:
    """Return the demands that SNDlib knows for the network `name`, (hosts, hosts), zero diagonal.

    In the order of the hosts of `load_topohub`. The unit is SNDlib's own and differs from network
    to network: only the ratios mean something.

    Raises:
        DocumentError: there is no such network, or no demands are known for it.
    """
    data = _data(name)
    if not data["graph"]["demands"]:
        hint = "the networks of topohub:sndlib/ have demands"
        raise _error(name, "no demands are known for this network", hint)
    index = {node["id"]: row for row, node in enumerate(data["nodes"])}
    matrix = np.zeros((len(index), len(index)))
    for source, row in data["graph"]["demands"].items():
        for target, demand in row.items():
            matrix[index[source], index[target]] = demand
    np.fill_diagonal(matrix, 0.0)
    return matrix


def topohub_names() -> tuple[str, ...]:
    """Return the name of every network in the package, with the prefix."""
    root = Path(topohub.__file__).parent / "data"
    paths = sorted(root.rglob("*.json"))
    return tuple(PREFIX + path.relative_to(root).with_suffix("").as_posix() for path in paths)


def _data(name: str) -> dict[str, Any]:
    path = name.removeprefix(PREFIX)
    group, _, network = path.rpartition("/")
    groups: dict[str, list[str]] = {}
    for known in topohub_names():
        known_group, _, known_network = known.removeprefix(PREFIX).rpartition("/")
        groups.setdefault(known_group, []).append(known_network)
    if group not in groups:
        hint = f"{PREFIX}<group>/<network>; {did_you_mean(group, groups)}"
        raise _error(name, f"topohub has no group {group!r}", hint)
    if network not in groups[group]:
        hint = did_you_mean(network, groups[group])
        raise _error(name, f"topohub has no network {network!r} in {group}", hint)
    data: dict[str, Any] = topohub.get(path)
    return data


def _refuse_unsuitable(name: str, graph: nx.Graph) -> None:
    if len(graph) > MAX_SWITCHES:
        message = f"has {len(graph)} switches, more than the {MAX_SWITCHES} that fit one machine"
        raise _error(name, message, "choose a smaller network: twinbed topo list --all")
    islands = nx.number_connected_components(graph)
    if islands > 1:
        message = f"falls into {islands} parts that no link connects"
        raise _error(name, message, "choose another network: twinbed topo list --all")


def _shape(dist_km: float) -> LinkShape:
    return replace(CORE_SHAPE, delay_ms=round(dist_km * _DETOUR / _KM_PER_MS, 3))


def _position(node: dict[str, Any]) -> tuple[float, float]:
    x, y = node["pos"]
    return float(x), float(y)


def _error(name: str, message: str, hint: str) -> DocumentError:
    return DocumentError([Problem(name, None, "", message, hint)])

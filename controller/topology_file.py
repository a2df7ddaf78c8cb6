"""Reads the topology that a lab was built from, refusing what cannot be programmed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from controller.errors import StartError
from topologies.model import Topology
from topologies.policies import ANYONE


def read_topology(path: Path) -> Topology:
    """Read a topology as `RunDirectory.write_topology` writes it.

    Raises:
        StartError: it is missing, is no topology, or contradicts itself.
    """
    try:
        topology = msgspec.json.decode(path.read_bytes(), type=Topology)
    except OSError as error:
        raise StartError(f"{path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise StartError(f"{path}: {error}") from error
    if problems := _problems(topology):
        raise StartError("\n".join(f"{path}: {problem}" for problem in problems))
    return topology


def _problems(topology: Topology) -> list[str]:
    switches = [switch.name for switch in topology.switches]
    hosts = [host.name for host in topology.hosts]
    known = {*switches, *hosts}
    problems = [] if switches else ["it has no switch"]
    if len(known) < len(switches) + len(hosts):
        problems.append("two nodes have the same name")
    problems += [
        f"link {link.a}-{link.b}: there is no node {node}"
        for link in topology.links
        for node in (link.a, link.b)
        if node not in known
    ]
    problems += [
        f"host {host.name}: it has no link to its switch {host.switch}"
        for host in topology.hosts
        if host.switch not in switches or (host.name, host.switch) not in topology.link_between
    ]
    problems += [
        f"policy {number}: there is no host or zone {name}"
        for number, policy in enumerate(topology.policies, start=1)
        for name in (policy.source, policy.target)
        if name not in {ANYONE, *hosts, *(switch.zone for switch in topology.switches)}
    ]
    return problems

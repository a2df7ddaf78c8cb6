"""Switches without links or hosts: bridges of Open vSwitch that are joined by patch ports.

A patch port has a carrier as long as its peer exists, and costs the machine nothing, so there may
be a hundred switches whose tables are as real as those of a lab.
"""

from __future__ import annotations

from itertools import pairwise

from testbed import openvswitch
from testbed.network import CONTROLLER_ADDRESS, CONTROLLER_PORT
from topologies.addressing import address
from topologies.model import Host, Link, Switch, Topology
from topologies.schema import ACCESS_SHAPE, CORE_SHAPE


def grid(side: int) -> Topology:
    """`side` x `side` switches, each joined to those beside it, with a host each."""
    names = [[f"s{side * row + column + 1}" for column in range(side)] for row in range(side)]
    flat = [name for row in names for name in row]
    across = [pair for row in names for pair in pairwise(row)]
    down = [pair for rows in pairwise(names) for pair in zip(*rows, strict=True)]
    hosts = tuple(Host(f"h{n}", f"h{n}", switch) for n, switch in enumerate(flat, start=1))
    core = tuple(Link(a, b, CORE_SHAPE) for a, b in (*across, *down))
    access = tuple(Link(host.name, host.switch, ACCESS_SHAPE) for host in hosts)
    switches = tuple(Switch(name, name) for name in flat)
    return Topology(f"grid {side} x {side}", switches, hosts, core + access)


def create(topology: Topology) -> None:
    """Make the switches; they have no controller yet.

    Raises:
        OpenVSwitchError: ovs-vsctl failed.
    """
    addressing = address(topology)
    for switch in topology.switches:
        name, number = switch.name, addressing.datapath_id[switch.name]
        openvswitch.vsctl(
            [
                *("--", "add-br", name),
                *("--", "set", "Bridge", name, "datapath_type=netdev", "fail_mode=secure"),
                *("protocols=OpenFlow13", f"other-config:datapath-id={number:016x}"),
            ]
        )
    ports = []
    for here, there in topology.core_directions:
        port, peer = addressing.interface(here, there), addressing.interface(there, here)
        ports += ["--", "add-port", here, port, "--", "set", "Interface", port, "type=patch"]
        ports += [f"options:peer={peer}", f"ofport_request={addressing.port[here, there]}"]
    openvswitch.vsctl(ports)


def connect(topology: Topology) -> None:
    """Have all switches connect to the controller, at once."""
    target = f"tcp:{CONTROLLER_ADDRESS}:{CONTROLLER_PORT}"
    openvswitch.vsctl(
        w for s in topology.switches for w in ("--", "set-controller", s.name, target)
    )


def empty(topology: Topology) -> None:
    """Take all controllers away: Open vSwitch then clears the tables."""
    openvswitch.vsctl(w for s in topology.switches for w in ("--", "del-controller", s.name))

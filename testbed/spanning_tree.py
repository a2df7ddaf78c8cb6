"""Switches that forward by themselves along a spanning tree: RSTP (IEEE 802.1D-2004) of OVS.

Legacy switching as its operators set it up: path costs by the weight of the routes, the root in
the middle of the network, ports towards hosts are edge ports. Loops do no harm before the tree is
there: a port discards until its neighbour agrees. All other settings are the defaults.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from mininet.net import Mininet

from testbed.distributed import DistributedNetwork
from testbed.link_costs import link_costs, path_cost
from testbed.links.backend import LinkBackend, LinkError
from testbed.network import LabSwitch
from topologies.model import DirectedLink, Routing, Topology
from topologies.paths import Weight, shortest_paths, shortest_paths_from

_PRIORITY, _ROOT_PRIORITY = 32_768, 4_096
"""The lowest becomes the root; of equals, the lowest address."""
_FINAL = {
    ("Root", "Forwarding"),
    ("Designated", "Forwarding"),
    ("Alternate", "Discarding"),
    ("Backup", "Discarding"),
}


@dataclass(frozen=True)
class TreePort:
    """What RSTP has made of a port, in the words of ovs-vswitchd.conf.db(5)."""

    role: str
    state: str

    @property
    def forwards(self) -> bool:
        """Whether frames pass."""
        return self.state == "Forwarding"

    @property
    def is_final(self) -> bool:
        """Whether it stays so until something changes in the network."""
        return (self.role, self.state) in _FINAL


class _Bridge(LabSwitch):
    """A switch that takes part in the spanning tree from its first moment."""

    def __init__(
        self, name: str, bridge: Sequence[str], port: Mapping[str, Sequence[str]], **params: Any
    ) -> None:
        """Take columns of its bridge and, by interface, of its ports."""
        self._bridge, self._port = bridge, port
        super().__init__(name, failMode="standalone", batch=True, **params)

    def bridgeOpts(self) -> str:  # noqa: N802 (Mininet's name)
        """Columns of the bridge, set as it is made."""
        return " ".join((super().bridgeOpts(), "rstp_enable=true", *self._bridge))

    def intfOpts(self, intf: object) -> str:  # noqa: N802 (Mininet's name)
        """Columns of the interface and its port, set as they are made."""
        return " ".join((super().intfOpts(intf), "-- set Port", str(intf), *self._port[str(intf)]))


class SpanningTreeNetwork(DistributedNetwork):
    """The topology's switches under RSTP. `openvswitch` runs in this sandbox."""

    def __init__(self, topology: Topology, links: LinkBackend, weight: Weight) -> None:
        self._weight = weight
        self._cost = link_costs(topology, weight)
        self._root = root_bridge(topology, weight)
        super().__init__(topology, links)

    def paths(self) -> Routing:
        """Along the links of which both ends forward."""
        return shortest_paths(self.topology, down=_outside_the_tree(self._ports()))

    def is_final(self, paths: Routing) -> bool:  # noqa: ARG002
        """Whether every port of a whole link is settled, and the tree the best from its root."""
        ports = self._ports()
        settled = all(ports[end].is_final for link in self.whole_links() for end in link.directions)
        return settled and self._is_best(_outside_the_tree(ports))

    def _is_best(self, outside: frozenset[DirectedLink]) -> bool:
        running = sorted(self.switches, key=self.addressing.datapath_id.__getitem__)
        root = self._root if self._root in running else running[0]
        lab = (self.topology, root, self._weight)
        tree = shortest_paths_from(*lab, outside)
        best = shortest_paths_from(*lab, self.broken_directions())
        return tree.keys() == best.keys() and all(
            path_cost(self._cost, path) <= path_cost(self._cost, best[switch])
            for switch, path in tree.items()
        )

    def _add_switches(self, net: Mininet) -> None:
        for switch in self.topology.switches:
            number = self.addressing.datapath_id[switch.name]
            address = f"02:00:00:01:{number >> 8:02x}:{number & 255:02x}"
            priority = _ROOT_PRIORITY if switch.name == self._root else _PRIORITY
            net.addSwitch(
                switch.name,
                cls=_Bridge,
                dpid=f"{number:016x}",
                datapath=self.links.datapath,
                bridge=(
                    f"other_config:rstp-priority={priority}",
                    f"other_config:rstp-address={address}",
                ),
                port={
                    self.addressing.interface(*end): self._port_columns(end)
                    for end in self.addressing.port
                    if end[0] == switch.name
                },
            )

    def _port_columns(self, end: DirectedLink) -> Sequence[str]:
        if end in self._cost:
            return (f"other_config:rstp-path-cost={self._cost[end]}",)
        return ("other_config:rstp-port-admin-edge=true",)

    def _ports(self) -> Mapping[DirectedLink, TreePort]:
        command = ["ovs-vsctl", "--format=json", "--columns=name,rstp_status", "list", "Port"]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode != 0:
            raise LinkError(f"Open vSwitch tells nothing of its ports: {done.stderr.decode()}")
        found = tree_ports(done.stdout)
        gone = TreePort("Disabled", "Disabled")
        return {
            end: found.get(self.addressing.interface(*end), gone)
            for end in self.topology.core_directions
        }


def _outside_the_tree(ports: Mapping[DirectedLink, TreePort]) -> frozenset[DirectedLink]:
    """The directions of links of which an end does not forward."""
    return frozenset(
        hop for hop in ports if not (ports[hop].forwards and ports[hop[::-1]].forwards)
    )


def root_bridge(topology: Topology, weight: Weight) -> str:
    """The switch from which all others are nearest, in the sum."""
    cost = link_costs(topology, weight)

    def distance(switch: str) -> int:
        paths = shortest_paths_from(topology, switch, weight).values()
        return sum(path_cost(cost, path) for path in paths)

    return min((switch.name for switch in topology.switches), key=distance)


class _Listing(msgspec.Struct):
    """What `ovs-vsctl --format=json` prints; a map is ["map", [[key, value], ...]] (RFC 7047)."""

    data: list[tuple[str, tuple[str, list[tuple[str, str]]]]]


def tree_ports(listing: bytes) -> Mapping[str, TreePort]:
    """By interface, from the columns name and rstp_status; ports outside the tree are absent.

    Raises:
        LinkError: that is no such listing.
    """
    try:
        rows = msgspec.json.decode(listing, type=_Listing).data
    except msgspec.DecodeError as error:
        raise LinkError(f"Open vSwitch lists its ports in an unknown way: {error}") from error
    statuses = {name: dict(status) for name, (_, status) in rows}
    return {
        name: TreePort(status["rstp_port_role"], status["rstp_port_state"])
        for name, status in statuses.items()
        if "rstp_port_role" in status
    }

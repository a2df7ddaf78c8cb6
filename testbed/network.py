"""The emulated physical network: a topology built with Mininet on the lab's own Open vSwitch."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from mininet.log import lg
from mininet.net import Mininet
from mininet.node import OVSSwitch, RemoteController
from mininet.util import errRun

from testbed.hosts import Hosts
from testbed.links.backend import LinkBackend, LinkError
from topologies.addressing import Addressing, address
from topologies.model import Link, Topology

CONTROLLER_ADDRESS = "127.0.0.1"
CONTROLLER_PORT = 6653
_DEAD_PORT = 1
_PREFIX_LENGTH = 16


class _Controller(RemoteController):  # type: ignore[misc]
    """Where the switches find the controller; it may start later."""

    def checkListening(self) -> None:  # noqa: N802 (Mininet's name)
        """Mininet would try to decode the HELLO, whose transaction id is random bytes."""


class _Switch(OVSSwitch):  # type: ignore[misc]
    """Mininet's OVS switch, except that a failed start is an error."""

    @classmethod
    def batchStartup(cls, switches: Sequence[OVSSwitch], **_run: object) -> Sequence[OVSSwitch]:  # noqa: N802 (Mininet's name)
        """Start all switches with few calls of ovs-vsctl."""

        def run(*command: str, **options: bool) -> None:
            output, errors, status = errRun(*command, **options)
            if status != 0:
                raise LinkError(f"Open vSwitch refused the switches: {errors or output}")

        started: Sequence[OVSSwitch] = super().batchStartup(switches, run=run)
        return started


class Network:
    """A running network. It ends with the sandbox: there is nothing to stop."""

    def __init__(self, topology: Topology, links: LinkBackend) -> None:
        self.topology = topology
        self.links = links
        self.addressing: Addressing = address(topology)
        self._net = _build(topology, self.addressing, links)
        links.shape_all(self._run_in)
        self.hosts = Hosts({host.name: host.pid for host in self._net.hosts})

    def set_carrier(self, link: Link, up: bool) -> float:
        """Take carrier away from both ends of a link, or give it back; return when."""
        return self.links.set_carrier(link, up)

    def set_control_channel(self, switch: str, connected: bool) -> None:
        """Cut a switch from its controller, or let it connect again; it keeps its flows.

        Raises:
            LinkError: ovs-vsctl failed.
        """
        # Towards a port where nobody listens: without any controller OVS would flush the flows.
        port = CONTROLLER_PORT if connected else _DEAD_PORT
        target = f"tcp:{CONTROLLER_ADDRESS}:{port}"
        self._run_in(switch, ["ovs-vsctl", "--no-wait", "set-controller", switch, target])

    def _run_in(self, node: str, argv: Sequence[str]) -> None:
        prefix = [] if node in self.addressing.datapath_id else self._enter(node)
        done = subprocess.run([*prefix, *argv], capture_output=True, text=True)
        if done.returncode != 0:
            raise LinkError(f"{node}: {' '.join(argv)}: {done.stderr.strip()}")

    def _enter(self, host: str) -> list[str]:
        return ["mnexec", "-a", str(self._net.get(host).pid)]


def _build(topology: Topology, addressing: Addressing, links: LinkBackend) -> Mininet:
    lg.setLogLevel("error")
    # Mininet's own start-up would raise limits of the whole machine; a lab leaves it alone.
    Mininet.inited = True
    links.create(topology, addressing)
    net = Mininet(controller=None, link=links.mininet_link, build=False)
    net.addController(_Controller("c0", ip=CONTROLLER_ADDRESS, port=CONTROLLER_PORT))
    for host in topology.hosts:
        ip = f"{addressing.ipv4[host.name]}/{_PREFIX_LENGTH}"
        net.addHost(host.name, ip=ip, mac=addressing.mac[host.name])
    for switch in topology.switches:
        net.addSwitch(
            switch.name,
            cls=_Switch,
            dpid=f"{addressing.datapath_id[switch.name]:016x}",
            datapath=links.datapath,
            protocols="OpenFlow13",
            failMode="secure",
            reconnectms=1000,
            batch=True,
        )
    for link in topology.links:
        ports = {
            f"port{end}": addressing.port[node, peer]
            for end, (node, peer) in enumerate(link.directions, start=1)
        }
        net.addLink(link.a, link.b, **ports)
    net.build()
    net.start()
    return net

"""The emulated physical network: a topology built with Mininet on the lab's own Open vSwitch."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Collection, Sequence
from itertools import chain
from typing import Any, ClassVar

from mininet.link import Intf
from mininet.log import lg
from mininet.net import Mininet
from mininet.node import OVSSwitch, RemoteController
from mininet.util import errRun

from testbed import ipv6
from testbed.faults import Fault, conditions, crashed_hosts, crashed_switches, shapes
from testbed.hosts import Hosts
from testbed.links.backend import LinkBackend, LinkError
from testbed.neighbours import introduce
from topologies.addressing import Addressing, address
from topologies.model import Topology

CONTROLLER_ADDRESS = "127.0.0.1"
CONTROLLER_PORT = 6653
BFD_INTERVAL_MS = 50
"""At 10 ms sessions flap under load."""
_PACKET_INS_PER_S, _PACKET_IN_BURST = 100, 100
"""Of one switch: ARP requests are rare, and a flood of them must not take the controller down."""
_RECONNECT_MS = 1000
"""At most between two attempts of a switch to reach its controller; Open vSwitch's own is 8 s."""
_DEAD_PORT = 1
_PREFIX_LENGTH = 16


class _Controller(RemoteController):  # type: ignore[misc]
    """Where the switches find the controller; it may start later."""

    def checkListening(self) -> None:  # noqa: N802 (Mininet's name)
        """Mininet would try to decode the HELLO, whose transaction id is random bytes."""


class LabSwitch(OVSSwitch):  # type: ignore[misc]
    """Mininet's OVS switch, except that a failed start is an error.

    With `bfd_interval_ms`, it runs BFD (RFC 5880) on its links to other switches from the start.
    """

    def __init__(self, name: str, *, bfd_interval_ms: int | None = None, **parameters: Any) -> None:
        super().__init__(name, **parameters)
        self._bfd_interval_ms = bfd_interval_ms

    def intfOpts(self, intf: Intf) -> str:  # noqa: N802 (Mininet's name)
        """Part of an ovs-vsctl command; ovs-vswitchd.conf.db(5) describes the columns."""
        options: str = super().intfOpts(intf)
        ends = (intf.link.intf1.node, intf.link.intf2.node) if intf.link else ()
        if self._bfd_interval_ms is None or not all(isinstance(end, LabSwitch) for end in ends):
            return options
        interval = self._bfd_interval_ms
        return f"{options} bfd:enable=true bfd:min_tx={interval} bfd:min_rx={interval}"

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
    """A running network. It ends with the sandbox: there is nothing to stop.

    With `bfd`, a link between switches is dead after three missed packets of BFD; it is alive once
    its session is up, about a second after the start.
    """

    GATEWAY_MAC: ClassVar[str | None] = None
    """Where hosts send what is for other hosts, if not to these themselves."""

    def __init__(self, topology: Topology, links: LinkBackend, *, bfd: bool = False) -> None:
        self._bfd_interval_ms = BFD_INTERVAL_MS if bfd else None
        self.topology = topology
        self.links = links
        self.addressing: Addressing = address(topology)
        self._net = self._build()
        self.hosts = Hosts({host.name: host.pid for host in self._net.hosts})
        ipv6.switch_on(self.hosts, self.addressing)
        introduce(self.hosts, self.addressing, self.GATEWAY_MAC)
        self._condition = conditions(topology, ())
        self._shape = shapes(topology, ())
        self._crashed: frozenset[str] = frozenset()
        self._dead: frozenset[str] = frozenset()
        self._cut_off: frozenset[str] = frozenset()

    @property
    def switches(self) -> tuple[str, ...]:
        """Names of the switches that run: those that have crashed do not."""
        return tuple(s.name for s in self.topology.switches if s.name not in self._crashed)

    def set_faults(self, faults: Collection[Fault], at_s: float = 0.0) -> float:
        """Make these faults hold, all others end; return when (CLOCK_MONOTONIC, seconds).

        Links change at `at_s`, or at once if that is past. A switch is built again before that and
        torn down, a host killed, after it: frames find dark links meanwhile.

        Raises:
            LinkError: it failed.
        """
        crashed, dead = crashed_switches(faults), crashed_hosts(faults)
        for switch in sorted(self._crashed - crashed):
            self._restart_switch(switch)
        done_s = self._change_links(faults, at_s)
        for switch in sorted(crashed - self._crashed):
            self._crash_switch(switch)
        for host in sorted(dead - self._dead):
            self.hosts.kill_all(host)
        self._crashed, self._dead = crashed, dead
        return done_s

    def set_control_channel(self, switch: str, connected: bool) -> None:
        """Cut a switch from its controller, or let it connect again; it keeps its flows.

        Raises:
            LinkError: ovs-vsctl failed.
        """
        self._cut_off = self._cut_off - {switch} if connected else self._cut_off | {switch}
        if switch not in self._crashed:
            _vsctl("--no-wait", *self._controller_of(switch))

    def _controller_of(self, switch: str) -> list[str]:
        # Towards a port where nobody listens: without any controller OVS would flush the flows.
        port = _DEAD_PORT if switch in self._cut_off else CONTROLLER_PORT
        return ["set-controller", switch, f"tcp:{CONTROLLER_ADDRESS}:{port}", *_sparing(switch)]

    def _change_links(self, faults: Collection[Fault], at_s: float) -> float:
        """Hand to the backend what differs from how the links are; return when it was in force."""
        condition, shape = conditions(self.topology, faults), shapes(self.topology, faults)
        changed = {link: new for link, new in condition.items() if new != self._condition[link]}
        reshaped = {link: new for link, new in shape.items() if new != self._shape[link]}
        self._condition, self._shape = condition, shape
        done_s = at_s
        if changed:
            done_s = self.links.set_condition(changed, at_s)
        for link, new in reshaped.items():
            done_s = self.links.set_shape(link, new, at_s)
        if not (changed or reshaped):
            time.sleep(max(0.0, at_s - time.monotonic()))
            done_s = max(at_s, time.monotonic())
        return done_s

    def _build(self) -> Mininet:
        """All nodes and links, started."""
        lg.setLogLevel("error")
        # Mininet's own start-up would raise limits of the whole machine; a lab leaves it alone.
        Mininet.inited = True
        self.links.create(self.topology, self.addressing)
        net = Mininet(controller=None, link=self.links.mininet_link, build=False)
        for host in self.topology.hosts:
            ip = f"{self.addressing.ipv4[host.name]}/{_PREFIX_LENGTH}"
            net.addHost(host.name, ip=ip, mac=self.addressing.mac[host.name])
        self._add_switches(net)
        for link in self.topology.links:
            ports = {
                f"port{end}": self.addressing.port[node, peer]
                for end, (node, peer) in enumerate(link.directions, start=1)
            }
            net.addLink(link.a, link.b, **ports)
        net.build()
        net.start()
        if net.controllers:
            _vsctl(*chain.from_iterable(_sparing(each.name) for each in self.topology.switches))
        return net

    def _add_switches(self, net: Mininet) -> None:
        """Here, switches that wait for their controller."""
        where = {"ip": CONTROLLER_ADDRESS, "port": CONTROLLER_PORT}
        net.addController(_Controller("controller", **where))  # no node has so long a name
        for switch in self.topology.switches:
            net.addSwitch(
                switch.name,
                cls=LabSwitch,
                dpid=f"{self.addressing.datapath_id[switch.name]:016x}",
                datapath=self.links.datapath,
                protocols="OpenFlow13",
                failMode="secure",
                reconnectms=_RECONNECT_MS,
                batch=True,
                bfd_interval_ms=self._bfd_interval_ms,
            )

    def _crash_switch(self, switch: str) -> None:
        """Its links have failed by now."""
        _vsctl("del-br", switch)

    def _restart_switch(self, switch: str) -> None:
        """Make its bridge as it was: datapath id, port numbers, fail mode, controller."""
        bridge = self._net.get(switch)
        bridge.commands.clear()
        bridge.batch = True  # so that Mininet gathers one transaction
        bridge.start(self._net.controllers)
        if self._net.controllers:
            bridge.vsctl("--", *self._controller_of(switch))
        LabSwitch.batchStartup([bridge])


def _sparing(switch: str) -> list[str]:
    """Have `switch` hand the controller few packets, taking turns among its ports, and look for it
    often when it is away."""
    settings = (
        f"controller_rate_limit={_PACKET_INS_PER_S}",
        f"controller_burst_limit={_PACKET_IN_BURST}",
        f"max_backoff={_RECONNECT_MS}",
    )
    return ["--", "set", "controller", switch, *settings]


def _vsctl(*command: str) -> None:
    done = subprocess.run(["ovs-vsctl", *command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LinkError(f"ovs-vsctl {' '.join(command)}: {done.stderr.strip()}")

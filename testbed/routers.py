"""Routers in place of the switches: OSPF with BFD, each in a network namespace of its own.

Hosts stay as they are. Links between routers are unnumbered (one address per router, /32). Every
router answers for all hosts with one MAC address, and knows those of its neighbours and hosts from
the start, as hosts know theirs (`testbed/neighbours.py`).
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from mininet.net import Mininet

from testbed import frr
from testbed.distributed import DistributedNetwork
from testbed.link_costs import link_costs, path_cost
from testbed.links.backend import LinkBackend, LinkError
from testbed.namespaces import network_namespace
from testbed.network import BFD_INTERVAL_MS
from topologies.addressing import Addressing
from topologies.model import DirectedLink, OdPair, Routing, Topology
from topologies.model import Path as SwitchPath
from topologies.paths import Weight, shortest_paths

GATEWAY_MAC = "02:00:00:02:00:00"
"""Of every router's interface towards a host."""
_START_S = 10.0
_IPV4, _IPV6 = Path("/proc/sys/net/ipv4"), Path("/proc/sys/net/ipv6/conf")


class RoutedNetwork(DistributedNetwork):
    """The topology's switches as routers. `frr.furnish` has been called in this sandbox."""

    GATEWAY_MAC = GATEWAY_MAC

    def __init__(
        self, topology: Topology, links: LinkBackend, log_dir: Path, weight: Weight
    ) -> None:
        super().__init__(topology, links)
        self._weight = weight
        self._cost = link_costs(topology, weight)
        self._log_dir = log_dir
        self._daemons: dict[tuple[str, str], subprocess.Popen[bytes]] = {}
        self._settings = {
            switch.name: _settings(topology, self.addressing, switch.name, self._cost)
            for switch in topology.switches
        }
        self._start(*self._settings)

    def paths(self) -> Routing:
        """By the kernels' routes."""
        return walk(self.topology, {router: self._next_hops(router) for router in self.switches})

    def is_final(self, paths: Routing) -> bool:
        """Whether they are shortest, and all neighbours on whole links known to OSPF and BFD."""
        return self._are_shortest(paths) and self._are_alive()

    def dead_processes(self) -> Sequence[str]:
        """The daemons of FRR that have ended by themselves."""
        return [
            f"{daemon} of {router} ended in the middle of the run: see {self._log_of(router)}"
            for (router, daemon), process in self._daemons.items()
            if process.poll() is not None
        ]

    def _are_shortest(self, paths: Routing) -> bool:
        best = shortest_paths(self.topology, self._weight, self.broken_directions())
        return all(
            pair in best and path_cost(self._cost, path) <= path_cost(self._cost, best[pair])
            for pair, path in paths.items()
        )

    def _are_alive(self) -> bool:
        wanted: dict[str, set[str]] = {router: set() for router in self.switches}
        for link in self.whole_links():
            for here, there in link.directions:
                wanted[here].add(self.addressing.interface(here, there))
        return all(interfaces <= self._alive(router) for router, interfaces in wanted.items())

    def _alive(self, router: str) -> frozenset[str]:
        """The interfaces of a router behind which OSPF and BFD have found the neighbour."""
        try:
            adjacent = frr.adjacent(frr.ask(router, "ospfd", "show ip ospf neighbor json"))
            return adjacent & frr.watched(frr.ask(router, "bfdd", "show bfd peers json"))
        except msgspec.DecodeError as error:
            raise LinkError(f"{router}: FRR answers in an unknown way: {error}") from error

    def _add_switches(self, net: Mininet) -> None:
        for switch in self.topology.switches:
            net.addHost(switch.name, ip=None)

    def _crash_switch(self, switch: str) -> None:
        """Its processes die; with its interfaces down, the kernel forgets their routes."""
        self._daemons = {key: one for key, one in self._daemons.items() if key[0] != switch}
        self.hosts.kill_all(switch)
        self._ip(switch, forgetting(self.topology, self.addressing, switch))

    def _restart_switch(self, switch: str) -> None:
        self._start(switch)

    def _start(self, *routers: str) -> None:
        for router in routers:
            with network_namespace(self.hosts.pid(router)):
                _forward()
            self._ip(router, addresses(self.topology, self.addressing, router))
            frr.write_configuration(self._settings[router])
            self._run(router, "zebra")
        for router in routers:
            self._await_zebra(router)
            for daemon in frr.DAEMONS[1:]:
                self._run(router, daemon)

    def _run(self, router: str, daemon: str) -> None:
        with self._log_of(router).open("ab") as log:
            process = self.hosts.start(router, frr.command(router, daemon), log, log)
        # A new one each time: the observer's thread may be going through the old one.
        self._daemons = {**self._daemons, (router, daemon): process}

    def _log_of(self, router: str) -> Path:
        return self._log_dir / f"{router}.log"

    def _await_zebra(self, router: str) -> None:
        deadline_s = time.monotonic() + _START_S
        while not frr.socket_of_zebra(router).exists():
            if time.monotonic() > deadline_s:
                raise LinkError(f"zebra did not start: see {self._log_of(router)}")
            time.sleep(0.005)

    def _next_hops(self, router: str) -> Mapping[str, str]:
        shown = self._do(router, ["ip", "-json", "-4", "route"])
        return next_hops(self.addressing, router, shown)

    def _ip(self, router: str, batch: Iterator[str]) -> None:
        self._do(router, ["ip", "-batch", "-"], "\n".join(batch))

    def _do(self, router: str, argv: list[str], stdin: str = "") -> bytes:
        done = self.hosts.run(router, argv, stdin)
        if done.returncode != 0:
            raise LinkError(f"{router}: {' '.join(argv)}: {done.stderr.decode().strip()}")
        return done.stdout


def router_id(addressing: Addressing, router: str) -> str:
    """The one IPv4 address of a router, outside the hosts' network."""
    number = addressing.datapath_id[router]
    return f"10.255.{number >> 8}.{number & 255}"


def mac(addressing: Addressing, router: str, neighbour: str) -> str:
    """Of a router's interface."""
    if neighbour in addressing.mac:
        return GATEWAY_MAC
    number, port = addressing.datapath_id[router], addressing.port[router, neighbour]
    return f"02:02:{number >> 8:02x}:{number & 255:02x}:{port >> 8:02x}:{port & 255:02x}"


def addresses(topology: Topology, addressing: Addressing, router: str) -> Iterator[str]:
    """Commands of ip(8) that make a router's interfaces, and the neighbours behind them."""
    here = router_id(addressing, router)
    for neighbour, interface in _interfaces(topology, addressing, router).items():
        host = neighbour in addressing.mac
        there = addressing.ipv4[neighbour] if host else router_id(addressing, neighbour)
        its_mac = addressing.mac[neighbour] if host else mac(addressing, neighbour, router)
        yield f"link set {interface} address {mac(addressing, router, neighbour)}"
        yield f"addr add {here}{f' peer {there}' if host else ''}/32 dev {interface}"
        yield f"link set {interface} up"
        yield f"neigh replace {there} lladdr {its_mac} dev {interface} nud permanent"


def forgetting(topology: Topology, addressing: Addressing, router: str) -> Iterator[str]:
    """Commands of ip(8) that undo `addresses`, and the routes with them."""
    for interface in _interfaces(topology, addressing, router).values():
        yield f"link set {interface} down"
        yield f"addr flush dev {interface}"


def next_hops(addressing: Addressing, router: str, routes: bytes) -> Mapping[str, str]:
    """The neighbour to which a router sends what is for each host, by `ip -json route`.

    Raises:
        LinkError: that is no such listing.
    """
    neighbour = {
        addressing.interface(router, there): there
        for here, there in addressing.port
        if here == router
    }
    try:
        return {
            addressing.host_of_ipv4[route["dst"]]: neighbour[route["dev"]]
            for route in json.loads(routes)
            if route["dst"] in addressing.host_of_ipv4 and "linkdown" not in route["flags"]
        }
    except (ValueError, KeyError) as error:
        raise LinkError(f"{router}: ip lists its routes in an unknown way: {error}") from error


def walk(topology: Topology, next_hop: Mapping[str, Mapping[str, str]]) -> Routing:
    """The path of every pair from hop to hop; those that end on the way, or loop, are absent."""

    def path(pair: OdPair) -> SwitchPath | None:
        source, target = pair
        passed: list[str] = []
        here: str | None = topology.switch_of[source]
        while here != target:
            if here is None or here in passed or here in topology.switch_of:
                return None
            passed.append(here)
            here = next_hop.get(here, {}).get(target)
        return tuple(passed)

    found = ((pair, path(pair)) for pair in topology.od_pairs)
    return {pair: one for pair, one in found if one is not None}


def _settings(
    topology: Topology, addressing: Addressing, router: str, cost: Mapping[DirectedLink, int]
) -> frr.RouterSettings:
    interfaces = _interfaces(topology, addressing, router)
    return frr.RouterSettings(
        router,
        router_id(addressing, router),
        {name: cost[router, to] for to, name in interfaces.items() if (router, to) in cost},
        [name for to, name in interfaces.items() if (router, to) not in cost],
        BFD_INTERVAL_MS,
    )


def _interfaces(topology: Topology, addressing: Addressing, router: str) -> Mapping[str, str]:
    """By neighbour."""
    return {
        there: addressing.interface(here, there)
        for here, there in topology.link_between
        if here == router
    }


def _forward() -> None:
    """Have this namespace forward packets, whichever way they come; IPv6 is off in a lab."""
    (_IPV4 / "ip_forward").write_text("1")
    for interface in (_IPV4 / "conf").iterdir():
        (interface / "rp_filter").write_text("0")
    if _IPV6.exists():
        (_IPV6 / "all" / "disable_ipv6").write_text("1")

"""Single datagrams between hosts of a lab, over IPv4 and IPv6, as the hosts' programs see them."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from testbed import ipv6
from testbed.namespaces import network_namespace
from testbed.network import Network

FAMILIES = [socket.AF_INET, *([socket.AF_INET6] if ipv6.available() else [])]
"""What hosts here speak."""

_PATIENCE_S = 30.0
_SEND_AGAIN_S = 0.5
_STRAGGLERS_S = 0.05
_DSCP_OPTIONS = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_RECVTOS, socket.IP_TOS),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, socket.IPV6_TCLASS),
}


@dataclass(frozen=True)
class Datagram:
    """What arrived: at which port, from which address, and of which class."""

    port: int
    source: str
    dscp: int


def address_of(network: Network, host: str, family: int) -> str:
    """The address of `host` in IPv4 (AF_INET) or IPv6."""
    addressing = network.addressing
    return (addressing.ipv4 if family == socket.AF_INET else addressing.ipv6)[host]


@contextmanager
def sender(network: Network, host: str, family: int, source: str = "") -> Iterator[socket.socket]:
    """A socket in `host`, which may have an address of somebody else as its `source`."""
    with network_namespace(network.hosts.pid(host)):
        one = socket.socket(family, socket.SOCK_DGRAM)
    with one:
        one.bind((source or address_of(network, host, family), 0))
        yield one


class Receiver:
    """Listens in a host at some ports."""

    def __init__(self, network: Network, host: str, family: int, *ports: int) -> None:
        self.address = address_of(network, host, family)
        self._sockets: dict[socket.socket, int] = {}
        self._level, option, self._kind = _DSCP_OPTIONS[socket.AddressFamily(family)]
        self._open = ExitStack()
        with network_namespace(network.hosts.pid(host)):
            for port in ports:
                one = self._open.enter_context(socket.socket(family, socket.SOCK_DGRAM))
                one.setsockopt(self._level, option, 1)
                one.bind((self.address, port))
                self._sockets[one] = port

    def __enter__(self) -> Receiver:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def receive(self, timeout_s: float) -> Iterator[Datagram]:
        """All that has come by the time that something comes."""
        for one in select.select(list(self._sockets), [], [], timeout_s)[0]:
            _, ancillary, _, (source, *_) = one.recvmsg(2048, 64)
            octets = [value[0] for level, kind, value in ancillary if self._is_class(level, kind)]
            yield Datagram(self._sockets[one], source, octets[0] >> 2)

    def _is_class(self, level: int, kind: int) -> bool:
        return (level, kind) == (self._level, self._kind)


def exchange(
    network: Network,
    source: str,
    target: str,
    family: int,
    *ports: int,
    forging: str = "",
) -> dict[int, Datagram]:
    """Send a datagram to each of `ports`, again and again until one has come to the last of them.

    What has come by then, by port: what comes to other ports comes earlier, or in the same batch
    of a switch. Those to all ports but the last have the source address `forging`, if given.
    """
    came: dict[int, Datagram] = {}
    with (
        Receiver(network, target, family, *ports) as receiver,
        sender(network, source, family) as honest,
        sender(network, source, family, forging) as forger,
    ):
        deadline_s = time.monotonic() + _PATIENCE_S
        while ports[-1] not in came:
            assert time.monotonic() < deadline_s, f"nothing comes from {source} to {target}"
            for port in ports[:-1]:
                forger.sendto(b"x", (receiver.address, port))
            honest.sendto(b"x", (receiver.address, ports[-1]))
            again_s = time.monotonic() + _SEND_AGAIN_S
            while ports[-1] not in came and time.monotonic() < again_s:
                came |= {one.port: one for one in receiver.receive(_SEND_AGAIN_S)}
        came |= {one.port: one for one in receiver.receive(_STRAGGLERS_S)}
    return came

"""UDP sockets of ours in the network namespaces of hosts."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from testbed.hosts import Hosts
from testbed.namespaces import network_namespace
from topologies.addressing import Addressing


@contextmanager
def datagram_sockets(
    hosts: Hosts, addressing: Addressing, names: Iterable[str]
) -> Iterator[dict[str, socket.socket]]:
    """A UDP socket in each of the named hosts, bound to its address."""
    with ExitStack() as stack:
        sockets = {}
        for host in names:
            with network_namespace(hosts.pid(host)):
                one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            stack.enter_context(one)
            one.bind((addressing.ipv4[host], 0))
            sockets[host] = one
        yield sockets

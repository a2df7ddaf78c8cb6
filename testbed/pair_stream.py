"""One stream of numbered packets that takes turns among pairs of hosts."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle, islice

from testbed.namespaces import network_namespace
from testbed.network import Network
from testbed.numbered_packets import Arrival, Shot, exchange
from topologies.model import OdPair

_IN_FLIGHT_S = 0.5


def stream(
    network: Network, pairs: Sequence[OdPair], spacing_s: float, duration_s: float
) -> list[float | None]:
    """Send a packet every `spacing_s` for `duration_s`, the next pair's each time.

    Returns the one-way delay of each in seconds; None: it was lost.

    Raises:
        OSError: a packet cannot be sent.
    """
    with ExitStack() as sockets:
        ends: dict[str, socket.socket] = {}
        for host in {host for pair in pairs for host in pair}:
            with network_namespace(network.hosts.pid(host)):
                ends[host] = sockets.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            ends[host].bind((network.addressing.ipv4[host], 0))
        turns = islice(cycle(pairs), round(duration_s / spacing_s))
        shots = [
            Shot(n * spacing_s, ends[source], ends[target].getsockname(), Arrival(ends[target]))
            for n, (source, target) in enumerate(turns)
        ]
        return exchange(shots, _IN_FLIGHT_S)

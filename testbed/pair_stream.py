"""One stream of numbered packets that takes turns among pairs of hosts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle, islice

from testbed.host_sockets import datagram_sockets
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
    names = {host for pair in pairs for host in pair}
    with datagram_sockets(network.hosts, network.addressing, names) as ends:
        turns = islice(cycle(pairs), round(duration_s / spacing_s))
        shots = [
            Shot(n * spacing_s, ends[source], ends[target].getsockname(), Arrival(ends[target]))
            for n, (source, target) in enumerate(turns)
        ]
        return exchange(shots, _IN_FLIGHT_S)

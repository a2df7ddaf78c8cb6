from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from testbed.numbered_packets import Arrival, Shot, exchange


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket, socket.socket]]:
    """Three UDP sockets on the loopback interface."""
    with ExitStack() as opened:
        three = [
            opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(3)
        ]
        for one in three:
            one.bind(("127.0.0.1", 0))
        yield three[0], three[1], three[2]


def shot(at_s: float, source: socket.socket, to: socket.socket, at: socket.socket) -> Shot:
    return Shot(at_s, source, to.getsockname(), Arrival(at))


def test_delays_are_those_of_their_own_packets(
    ends: tuple[socket.socket, socket.socket, socket.socket],
) -> None:
    a, b, c = ends
    shots = [shot(0.001 * i, a, (b, c)[i % 2], (b, c)[i % 2]) for i in range(20)]
    delays_s = exchange(shots, 5.0)
    assert all(delay_s is not None and 0 < delay_s < 1 for delay_s in delays_s)


def test_what_arrives_elsewhere_has_not_arrived(
    ends: tuple[socket.socket, socket.socket, socket.socket],
) -> None:
    a, b, c = ends
    # The first goes to the wrong place, at which another is awaited.
    delays_s = exchange([shot(0.0, a, b, c), shot(0.0, a, b, b)], 0.05)
    assert delays_s[0] is None
    assert delays_s[1] is not None


def test_strangers_are_not_counted(
    ends: tuple[socket.socket, socket.socket, socket.socket],
) -> None:
    a, b, c = ends
    for words in (b"", b"short", b"x" * 50):
        c.sendto(words, b.getsockname())
    assert None not in exchange([shot(0.0, a, b, b)], 5.0)

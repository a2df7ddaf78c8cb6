"""Numbered packets sent one by one from some sockets, and when they arrive at others.

Both ends are sockets of this one process, so a delay is the difference of two readings of one
clock, CLOCK_MONOTONIC.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PAYLOAD_BYTES = 50
_NUMBER = struct.Struct("!8sI")


@dataclass(frozen=True)
class Arrival:
    """Where a packet is to arrive."""

    at: socket.socket
    interface: str | None = None
    """Of a packet socket: the interface."""


@dataclass(frozen=True)
class Shot:
    """One packet to be."""

    at_s: float
    """When it is sent, after the start."""
    source: socket.socket
    address: tuple[Any, ...]
    """For `socket.sendto`."""
    arrival: Arrival


@dataclass(frozen=True)
class Flight:
    """What became of every shot."""

    sent_s: list[float]
    """CLOCK_MONOTONIC."""
    delays_s: list[float | None]
    """One way; None: it did not arrive where it should."""


def exchange(shots: Sequence[Shot], wait_s: float) -> list[float | None]:
    """Send every shot as `fly` does, and return the one-way delays in seconds.

    Raises:
        OSError: a packet cannot be sent.
    """
    return fly(shots, wait_s).delays_s


def fly(shots: Sequence[Shot], wait_s: float) -> Flight:
    """Send every shot (given in the order of their times) and see which arrive.

    Waits up to `wait_s` after the last one was sent, and returns as soon as all have arrived.

    Raises:
        OSError: a packet cannot be sent.
    """
    volley = _Volley(shots)
    start_s = time.monotonic()
    for number, shot in enumerate(shots):
        volley.receive_until(start_s + shot.at_s)
        volley.send(number)
    volley.receive_until(time.monotonic() + wait_s)
    return Flight(volley.sent_s, volley.delays_s)


class _Volley:
    def __init__(self, shots: Sequence[Shot]) -> None:
        self._shots = shots
        self._sockets = {shot.arrival.at: shot.arrival.at for shot in shots}
        self._token = os.urandom(8)
        self.sent_s: list[float] = []
        self._missing = len(shots)
        self.delays_s: list[float | None] = [None] * len(shots)

    def send(self, number: int) -> None:
        shot = self._shots[number]
        payload = _NUMBER.pack(self._token, number).ljust(PAYLOAD_BYTES, b"\0")
        self.sent_s.append(time.monotonic())
        shot.source.sendto(payload, shot.address)

    def receive_until(self, until_s: float) -> None:
        """Take in what arrives until an instant, or until nothing is missing any more."""
        while self._missing and (left_s := until_s - time.monotonic()) > 0:
            # Not epoll: its timeouts are whole milliseconds.
            ready, _, _ = select.select(self._sockets, (), (), left_s)
            now_s = time.monotonic()
            for one in ready:
                self._take(one, now_s)

    def _take(self, at: socket.socket, now_s: float) -> None:
        payload, origin = at.recvfrom(PAYLOAD_BYTES)
        if len(payload) < _NUMBER.size:
            return
        token, number = _NUMBER.unpack_from(payload)
        if token != self._token:
            return
        arrival = self._shots[number].arrival
        interface = origin[0] if at.family == socket.AF_PACKET else None
        if (at, interface) == (arrival.at, arrival.interface) and self.delays_s[number] is None:
            self.delays_s[number] = now_s - self.sent_s[number]
            self._missing -= 1

"""Raw Ethernet frames at an even pace, and those of them that arrive; see packet(7)."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Sequence

_ETHERTYPE = 0x88B5
"""For local experiments (IEEE 802)."""
_HEADER = b"\xff" * 6 + b"\x02" + bytes(5) + struct.pack("!H", _ETHERTYPE)
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_SO_RCVBUFFORCE = 33
_RECEIVE_BUFFER_BYTES = 64 << 20
_PAUSE_S = 0.0002


def sender(interface: str) -> socket.socket:
    """A socket that sends frames out of an interface, and receives none."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    opened.bind((interface, 0))
    return opened


def plain_frame(length: int) -> bytes:
    """A frame of `length` bytes, without FCS."""
    return _HEADER + bytes(length - len(_HEADER))


def numbered_frame(number: int, length: int) -> bytes:
    """A frame of `length` bytes that carries a number."""
    return _HEADER + struct.pack("!Q", number) + bytes(length - len(_HEADER) - 8)


def send_evenly(
    frames_per_s: float, count: int, send: Callable[[int], object], between: Callable[[], None]
) -> float:
    """Call `send(n)` for n = 0 to count - 1 at an even pace, and `between` in the pauses.

    What is late is caught up with. Returns how long it took, in seconds.
    """
    start_s = time.monotonic()
    number = 0
    while number < count:
        due = min(count, int((time.monotonic() - start_s) * frames_per_s) + 1)
        while number < due:
            send(number)
            number += 1
        between()
        time.sleep(_PAUSE_S)
    return time.monotonic() - start_s


def spread(senders: Sequence[socket.socket], frame: bytes) -> Callable[[int], object]:
    """Sends `frame` through each of the sockets in turn."""
    ways = [each.send for each in senders]
    number_of_ways = len(ways)
    return lambda number: ways[number % number_of_ways](frame)


class Receiver:
    """Takes in the numbered frames that arrive at an interface (not those sent out of it)."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETHERTYPE))
        self._socket.bind((interface, _ETHERTYPE))
        self._socket.setblocking(False)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_BYTES)
        except PermissionError:  # in a user namespace: then what the machine grants everybody
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        self.numbers: list[int] = []

    def collect(self) -> None:
        """Take in what is there."""
        while True:
            try:
                frame = self._socket.recv(2048)
            except BlockingIOError:
                return
            self.numbers.append(struct.unpack_from("!Q", frame, len(_HEADER))[0])

    def missed(self) -> int:
        """Frames since the last call that arrived but found the socket's buffer full."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("II", statistics)[1])

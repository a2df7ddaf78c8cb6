"""Raw Ethernet frames that carry a number: sent at an even pace, taken in where they arrive.

See packet(7).
"""

from __future__ import annotations

import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence

_ETHERTYPE = 0x88B5
"""For local experiments (IEEE 802)."""
_ETH_P_ALL = 3
_HEADER = b"\xff" * 6 + b"\x02" + bytes(5) + struct.pack("!H", _ETHERTYPE)
_NUMBER = struct.Struct("!I")
_CHECKSUM_BYTES = 4
_LARGEST_BYTES = 65536

_SOL_PACKET, _PACKET_STATISTICS, _PACKET_IGNORE_OUTGOING = 263, 6, 23
_SO_RCVBUFFORCE = 33
_RECEIVE_BUFFER_BYTES = 64 << 20
_PAUSE_S = 0.0002


def numbered_frame(number: int, length: int) -> bytes:
    """A frame of `length` bytes, without FCS, that carries a number and a checksum of its own."""
    content = (_HEADER + _NUMBER.pack(number)).ljust(length - _CHECKSUM_BYTES, b"\x5a")
    return content + _checksum(content)


def number_of(frame: bytes) -> int | None:
    """The number that a frame carries; None: it is damaged, or somebody else's."""
    content, checksum = frame[:-_CHECKSUM_BYTES], frame[-_CHECKSUM_BYTES:]
    if _checksum(content) != checksum or not content.startswith(_HEADER):
        return None
    return int(_NUMBER.unpack_from(content, len(_HEADER))[0])


def _checksum(content: bytes) -> bytes:
    return zlib.crc32(content).to_bytes(_CHECKSUM_BYTES, "big")


def sender(interface: str) -> socket.socket:
    """A socket that sends frames out of an interface, and receives none."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    opened.bind((interface, 0))
    return opened


def send_evenly(
    frames_per_s: float, count: int, send: Callable[[int], object], between: Callable[[], object]
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
    """Takes in the frames that arrive at an interface, not those sent out of it."""

    def __init__(self, interface: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        self._socket.setblocking(False)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_BYTES)
        except PermissionError:  # in a user namespace: then what the machine grants everybody
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        # Of any type: a damaged frame may have lost its own.
        self._socket.bind((interface, _ETH_P_ALL))

    def fileno(self) -> int:
        """For select(2)."""
        return self._socket.fileno()

    def collect(self) -> Iterator[bytes]:
        """The frames that are there."""
        while True:
            try:
                yield self._socket.recv(_LARGEST_BYTES)
            except BlockingIOError:
                return

    def missed(self) -> int:
        """Frames since the last call that arrived but found the socket's buffer full."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int(struct.unpack("II", statistics)[1])

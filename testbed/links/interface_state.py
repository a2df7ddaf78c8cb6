"""Interfaces up and down, without a process for each: the ioctls of netdevice(7)."""

from __future__ import annotations

import fcntl
import socket
import struct
from collections.abc import Iterable

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1


def set_up(interfaces: Iterable[tuple[str, bool]]) -> None:
    """Bring interfaces up, or down: the peer of a veth gets or loses carrier with it.

    Raises:
        OSError: there is no such interface, or no privilege.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for name, up in interfaces:
            request = struct.pack("16s24x", name.encode())
            flags = struct.unpack("16sH22x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
            flags = flags | _IFF_UP if up else flags & ~_IFF_UP
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", name.encode(), flags))

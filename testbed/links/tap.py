"""TAP interfaces: made, and given or denied carrier; see Linux tuntap.rst."""

from __future__ import annotations

import fcntl
import os
import socket
import struct

from testbed.links.interface_state import set_up

_TUNSETIFF = 0x400454CA
_TUNSETPERSIST = 0x400454CB
_TUNSETSNDBUF = 0x400454D4
_TUNSETCARRIER = 0x400454E2
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
_SIOCSIFTXQLEN = 0x8943
_SEND_BUFFER_BYTES = 16 * 1024 * 1024
_QUEUE_FRAMES = 2000
"""What the kernel keeps for us, instead of 500, until we look: 30 ms at 60,000 frames/s. It is no
queue of the link, whose own drops are counted; these here are not."""


def create_tap(name: str) -> int:
    """Make the TAP interface `name` in this network namespace, up; return its non-blocking fd.

    The fd goes on working when the interface is moved to another namespace. The interface is
    persistent: it goes with its namespace, all at once, which is much faster than one by one at
    the death of the fd's owner.

    Raises:
        OSError: no TAP device driver, no privilege, or the name is taken.
    """
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI))
        fcntl.ioctl(fd, _TUNSETPERSIST, 1)
        fcntl.ioctl(fd, _TUNSETSNDBUF, struct.pack("i", _SEND_BUFFER_BYTES))
        _lengthen_queue(name)
        set_up([(name, True)])
    except OSError as error:
        os.close(fd)
        raise OSError(error.errno, error.strerror, name) from error
    return fd


def _lengthen_queue(name: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16si20x", name.encode(), _QUEUE_FRAMES)
        fcntl.ioctl(control, _SIOCSIFTXQLEN, request)


def set_carrier(fd: int, up: bool) -> None:
    """Give the interface carrier or take it away (TUNSETCARRIER, Linux 5.0).

    Its switch sees OFPT_PORT_STATUS.
    """
    fcntl.ioctl(fd, _TUNSETCARRIER, struct.pack("i", int(up)))

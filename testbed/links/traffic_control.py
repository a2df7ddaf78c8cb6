"""The kernel's interfaces and queueing disciplines: ip(8), tc(8) and netdevice(7)."""

from __future__ import annotations

import fcntl
import itertools
import json
import socket
import struct
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.links.backend import LinkError

_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
_MARK = {"ip": "link show dev lo", "tc": "actions list action gact"}
"""A command that shows something, be it an empty list."""
_NET_DEV = Path("/proc/self/net/dev")


class Console:
    """An ip or tc process that takes commands, so that none waits for a process to start."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._process = subprocess.Popen(
            [program, "-s", "-j", "-batch", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines_run = 0

    def run(self, commands: Iterable[str]) -> list[Any]:
        """Run the commands; return what each of those that `show` or `list` has shown.

        Raises:
            LinkError: one of them failed; the rest was not run, and nothing will be.
        """
        process, lines = self._process, [*commands, _MARK[self._program]]
        assert process.stdin is not None
        assert process.stdout is not None
        # Each shows one line of JSON, and is flushed; the mark's says that all is done.
        showing = sum(" show" in line or " list" in line for line in lines)
        try:
            process.stdin.write("".join(f"{line}\n" for line in lines))
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: it says why below
        shown = [line for line in itertools.islice(process.stdout, showing) if line.strip()]
        if len(shown) < showing:
            raise LinkError(f"{self._program}: {self._complaint(lines)}")
        self._lines_run += len(lines)
        return [json.loads(line) for line in shown[:-1]]

    def end(self) -> None:
        """End the process."""
        self._process.communicate()

    def _complaint(self, lines: list[str]) -> str:
        """Its last words, with the command in place of its number ("Command failed -:3")."""
        said = " ".join(self._process.communicate()[1].split())
        reason, _, number = said.rpartition("Command failed -:")
        if not number.isdecimal():
            return said or "has ended"
        return f"{reason.strip()}: {lines[int(number) - 1 - self._lines_run]}"


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


@dataclass(frozen=True)
class Packets:
    """Packets of one interface since it was made."""

    received: int
    sent: int


def interface_packets() -> dict[str, Packets]:
    """Packets of every interface of this namespace."""
    packets = {}
    for line in _NET_DEV.read_text().splitlines()[2:]:
        name, _, columns = line.partition(":")
        numbers = columns.split()  # bytes, packets, ... received, and from the ninth on, sent
        packets[name.strip()] = Packets(int(numbers[1]), int(numbers[9]))
    return packets

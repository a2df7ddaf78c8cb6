"""What arrives at the hosts of a lab: every packet, and the bytes at their ports at given instants.

A process of its own, so that what it costs is no part of what it watches: `Watch` starts it,
`python -m benchmarks.wire_watch` is it. It is given an AF_PACKET socket in every host and takes
the kernel's receive time stamps, so it need not be quick. The sockets take no outgoing packets:
those go to sockets of all protocols only, see packet(7).
"""

from __future__ import annotations

import selectors
import socket
import struct
import subprocess
import sys
import time
from array import array
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from testbed.interface_counters import interface_counters
from testbed.namespaces import network_namespace
from testbed.network import Network
from testbed.reference.errors import MeasurementError

_ETH_P_IP = 0x0800
_ETHERNET_HEADER_BYTES = 14
_SO_TIMESTAMPNS = 35
_RECEIVE_BUFFER_BYTES = 1 << 22
_HEAD_BYTES = 20
_HEAD = struct.Struct("!2xH8x4s4x")
"""Of an IPv4 header: the length of the packet and its source."""
_TIME = struct.Struct("@ll")
_MOST_AT_ONCE = 256
_STARTED = b"watching\n"


class Watched(msgspec.Struct, frozen=True):
    """What is to be watched, in the order of the hosts."""

    interfaces: tuple[str, ...]
    ipv4: tuple[str, ...]
    pids: tuple[int, ...]
    """A process in each host."""
    sockets: tuple[int, ...]
    instants_s: tuple[float, ...]
    """When the ports' counters are read; CLOCK_MONOTONIC, ascending."""
    output: str


@dataclass(frozen=True)
class Seen:
    """What a watch has seen. Hosts are numbered in the order of the topology."""

    arrival_s: npt.NDArray[np.float64]
    """(packets,) CLOCK_MONOTONIC."""
    source: npt.NDArray[np.int16]
    target: npt.NDArray[np.int16]
    frame_bytes: npt.NDArray[np.int32]
    port_bytes: npt.NDArray[np.int64]
    """(instants, hosts) received by then."""
    read_s: npt.NDArray[np.float64]
    """(instants,) when that was read."""


class Watch:
    """Watches all hosts of a network from the constructor's return until `end`."""

    def __init__(self, network: Network, instants_s: Sequence[float], folder: Path) -> None:
        self._output = folder / "seen.npz"
        names = [host.name for host in network.topology.hosts]
        interfaces = tuple(f"{name}-eth0" for name in names)
        pids = tuple(network.hosts.pid(name) for name in names)
        with ExitStack() as stack:
            sockets = []
            for pid, interface in zip(pids, interfaces, strict=True):
                with network_namespace(pid):
                    sockets.append(stack.enter_context(_listening(interface)))
            numbers = tuple(one.fileno() for one in sockets)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.wire_watch"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=numbers,
            )
            ipv4 = tuple(network.addressing.ipv4[name] for name in names)
            watched = Watched(interfaces, ipv4, pids, numbers, tuple(instants_s), str(self._output))
            assert self._process.stdin is not None, "started with stdin=PIPE"
            assert self._process.stdout is not None, "started with stdout=PIPE"
            self._process.stdin.write(msgspec.json.encode(watched) + b"\n")
            self._process.stdin.flush()
            if self._process.stdout.readline() != _STARTED:
                raise MeasurementError("the watch over the hosts did not start")

    def end(self) -> Seen:
        """End it, and return what it has seen.

        Raises:
            MeasurementError: it has failed.
        """
        self._process.communicate()
        if self._process.returncode != 0:
            raise MeasurementError("the watch over the hosts has failed")
        with np.load(self._output) as arrays:
            return Seen(**arrays)


def _listening(interface: str) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    opened.setblocking(False)
    opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
    opened.bind((interface, _ETH_P_IP))
    return opened


class _Log:
    """Packets, column by column."""

    def __init__(self, ipv4: Sequence[str]) -> None:
        self._number: Mapping[bytes, int] = {socket.inet_aton(a): n for n, a in enumerate(ipv4)}
        self.arrival_s, self.source = array("d"), array("h")
        self.target, self.frame_bytes = array("h"), array("l")

    def take(self, one: socket.socket, target: int) -> None:
        """What has arrived at a host."""
        for _ in range(_MOST_AT_ONCE):
            try:
                head, ancillary, _, _ = one.recvmsg(_HEAD_BYTES, 64)
            except BlockingIOError:
                return
            length, source = _HEAD.unpack(head)
            seconds, nanoseconds = _TIME.unpack(ancillary[0][2])
            self.arrival_s.append(seconds + nanoseconds / 1e9)
            self.source.append(self._number.get(source, -1))
            self.target.append(target)
            self.frame_bytes.append(length + _ETHERNET_HEADER_BYTES)


def _watch(watched: Watched) -> None:
    """Until the end of standard input."""
    log = _Log(watched.ipv4)
    instants_s, read_s, port_bytes = list(watched.instants_s), [], []
    with selectors.DefaultSelector() as selector:
        for target, number in enumerate(watched.sockets):
            selector.register(socket.socket(fileno=number), selectors.EVENT_READ, target)
        selector.register(sys.stdin, selectors.EVENT_READ)
        is_on = True
        while is_on:
            now_s = time.monotonic()
            if instants_s and now_s >= instants_s[0]:
                instants_s.pop(0)
                read_s.append(now_s)
                port_bytes.append(
                    [
                        interface_counters(pid)[interface].received.bytes
                        for pid, interface in zip(watched.pids, watched.interfaces, strict=True)
                    ]
                )
            wait_s = max(0.0, instants_s[0] - time.monotonic()) if instants_s else None
            for key, _ in selector.select(wait_s):
                if isinstance(key.fileobj, socket.socket):
                    log.take(key.fileobj, key.data)
                else:
                    is_on = False
    np.savez(
        watched.output,
        arrival_s=np.array(log.arrival_s) - (time.time() - time.monotonic()),
        source=np.array(log.source),
        target=np.array(log.target),
        frame_bytes=np.array(log.frame_bytes, dtype=np.int32),
        port_bytes=np.array(port_bytes, dtype=np.int64),
        read_s=np.array(read_s),
    )


def main() -> None:
    """Watch."""
    watched = msgspec.json.decode(sys.stdin.buffer.readline(), type=Watched)
    sys.stdout.buffer.write(_STARTED)
    sys.stdout.buffer.flush()
    _watch(watched)


if __name__ == "__main__":
    main()

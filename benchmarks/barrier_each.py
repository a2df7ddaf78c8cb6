"""Routes installed entry by entry, each confirmed by a barrier before the next is sent."""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from controller import openflow, runtime
from controller.flow_entries import FlowEntry, route_entries
from controller.flow_table import Change
from controller.trees import References, Trees
from topologies.addressing import address
from topologies.model import Topology
from topologies.paths import shortest_paths

_HEADER = struct.Struct("!BBHI")
"""Version, type, length, xid: what every OpenFlow message begins with."""
_HELLO, _BARRIER_REPLY = 0, 21
_VERSION = 4


def install_one_by_one(topology: Topology, run_dir: Path) -> tuple[int, float]:
    """How many entries all routes have, and how many seconds their installation takes.

    The messages are made before; all switches are served at once, through their management
    sockets in `run_dir` (see ovs-vswitchd(8)).
    """
    entries = _entries(topology)
    encoder = _encoder()
    switches = [
        _Switch(run_dir / f"{switch}.mgmt", [_message(encoder, entry) for entry in its_own])
        for switch, its_own in entries.items()
    ]
    with selectors.DefaultSelector() as selector:
        for switch in switches:
            selector.register(switch.socket, selectors.EVENT_READ, switch)
        start_s = time.monotonic()
        busy = sum(switch.send_next() for switch in switches)
        while busy:
            for key, _ in selector.select():
                if key.data.confirmed() and not key.data.send_next():
                    busy -= 1
        took_s = time.monotonic() - start_s
    for switch in switches:
        switch.socket.close()
    return sum(map(len, entries.values())), took_s


def _entries(topology: Topology) -> dict[str, list[FlowEntry]]:
    by_switch: defaultdict[str, list[FlowEntry]] = defaultdict(list)
    addressing = address(topology)
    trees, references = Trees(count(1).__next__), References()
    for pair, path in shortest_paths(topology).items():
        route = route_entries(addressing, pair, path, trees.label(pair[1], path))
        for entry in (*references.take(route.behind), route.ingress):
            by_switch[entry.switch].append(entry)
    return by_switch


def _encoder() -> Any:
    """What messages are made for: no switch, but its version."""
    runtime.select("ryu")
    encoder = runtime.module("ofproto.ofproto_protocol").ProtocolDesc(_VERSION)
    numbers = count(1)

    def set_xid(message: Any) -> int:
        message.set_xid(next(numbers))
        return int(message.xid)

    encoder.set_xid = set_xid
    return encoder


def _message(encoder: Any, entry: FlowEntry) -> bytes:
    """The flow-mod and a barrier request."""
    return openflow.batch(encoder, [Change(entry)])[1]


class _Switch:
    def __init__(self, path: Path, messages: list[bytes]) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(path))
        self.socket.sendall(_HEADER.pack(_VERSION, _HELLO, _HEADER.size, 0))
        self._left: Iterator[bytes] = iter(messages)
        self._read = b""

    def send_next(self) -> bool:
        """Send the next entry; return whether there was one."""
        message = next(self._left, None)
        if message is not None:
            self.socket.sendall(message)
        return message is not None

    def confirmed(self) -> bool:
        """Read what has come; whether a barrier is confirmed."""
        self._read += self.socket.recv(1 << 16)
        found = False
        while len(self._read) >= _HEADER.size:
            _, kind, length, _ = _HEADER.unpack_from(self._read)
            if len(self._read) < length:
                break
            self._read = self._read[length:]
            found = found or kind == _BARRIER_REPLY
        return found

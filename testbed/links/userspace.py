"""The userspace backend: links made by the link daemon, for kernels without netem or OVS module.

No queueing discipline may sit behind a port of OVS's userspace datapath: one congested port would
starve the others, unrelated bridges included.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from testbed.links.attachment import ReadyMadeLink
from testbed.links.backend import QUEUEING_STAYS, LinkCondition, LinkError
from testbed.links.client import DaemonClient
from testbed.links.protocol import (
    MAX_MESSAGE_BYTES,
    Count,
    Counted,
    Create,
    Done,
    Inspect,
    Inspected,
    LinkSpec,
    Request,
    Reshape,
    SetCondition,
)
from testbed.records import LinkCounters
from topologies.addressing import Addressing
from topologies.model import DirectedLink, Link, LinkShape, Topology


class UserspaceLinks:
    """Links made by a link daemon of the lab's own."""

    name = "userspace"
    datapath = "user"
    mininet_link = ReadyMadeLink

    def __init__(self, log: Path) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_MESSAGE_BYTES)
        with theirs, log.open("ab") as stderr:
            self._daemon = subprocess.Popen(
                [sys.executable, "-m", "testbed.links.daemon"], stdin=theirs.fileno(), stderr=stderr
            )
        self._client = DaemonClient(ours)
        self._number: dict[Link, int] = {}

    def create(self, topology: Topology, addressing: Addressing) -> None:
        """Have the daemon make every TAP, with its final name, and shape the links."""
        self._number = {link: number for number, link in enumerate(topology.links)}
        specs = [
            LinkSpec(addressing.interface(k.a, k.b), addressing.interface(k.b, k.a), k.shape)
            for k in topology.links
        ]
        self._do(Create(tuple(specs)))

    def set_shape(self, link: Link, shape: LinkShape, at_s: float = 0.0) -> float:
        """Change a link while the lab runs; frames in flight keep their due time and order."""
        if shape.queueing != link.shape.queueing:
            raise LinkError(f"{link.a}-{link.b}: {QUEUEING_STAYS}")
        return self._do(Reshape(self._number[link], shape, at_s))

    def set_condition(self, conditions: Mapping[Link, LinkCondition], at_s: float = 0.0) -> float:
        """Make links fail, or mend them, all at once.

        An interface that is set down in its own namespace (`ip link set X down`) loses the frames
        that come to it, which count as dropped by a fault; the other end keeps its carrier.
        """
        links = ((self._number[link], condition) for link, condition in conditions.items())
        return self._do(SetCondition(tuple(links), at_s))

    def counters(self) -> Mapping[DirectedLink, LinkCounters]:
        """What happened to the frames of every direction since the start.

        At rest, received + duplicated = sent + dropped; otherwise the rest is in flight.
        """
        answer = self._client.ask(Count())
        assert isinstance(answer, Counted)
        directions = (direction for link in self._number for direction in link.directions)
        return dict(zip(directions, answer.counters, strict=True))

    def lateness_p99_ms(self) -> float:
        """99th percentile of how late the daemon released frames since the last call."""
        answer = self._client.ask(Inspect())
        assert isinstance(answer, Inspected)
        return answer.lateness_p99_ms

    def processes(self) -> Mapping[str, subprocess.Popen[bytes]]:
        """The daemon."""
        return {"link-daemon": self._daemon}

    def _do(self, request: Request) -> float:
        answer = self._client.ask(request)
        assert isinstance(answer, Done)
        return answer.t_s

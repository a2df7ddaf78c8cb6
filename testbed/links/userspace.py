"""The userspace backend: links made by the link daemon, for kernels without netem or OVS module.

No queueing discipline may sit behind a port of OVS's userspace datapath: one congested port would
starve the others, unrelated bridges included.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec
from mininet.link import Intf
from mininet.link import Link as MininetLink

from testbed.links.backend import LinkError, NodeCommand
from testbed.links.protocol import (
    MAX_MESSAGE_BYTES,
    Answer,
    Carrier,
    Create,
    Done,
    Failed,
    Inspect,
    Inspection,
    LinkSpec,
    Request,
    Reshape,
)
from topologies.addressing import Addressing
from topologies.model import Link, LinkShape, Topology


class DaemonLink(MininetLink):  # type: ignore[misc]
    """A Mininet link whose two interfaces the link daemon has made already."""

    def __init__(self, *nodes: object, **params: object) -> None:
        # fast=False moves the host's interface into its namespace; plain Intf shapes nothing.
        super().__init__(*nodes, **{**params, "intf": Intf, "fast": False})

    @classmethod
    def makeIntfPair(cls, *_names: object, **_params: object) -> None:  # noqa: N802 (Mininet's name)
        """There is nothing left to make."""


class UserspaceLinks:
    """Links made by a link daemon of the lab's own."""

    name = "userspace"
    datapath = "user"
    mininet_link = DaemonLink

    def __init__(self, log: Path) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_MESSAGE_BYTES)
        with theirs, log.open("ab") as stderr:
            self._daemon = subprocess.Popen(
                [sys.executable, "-m", "testbed.links.daemon"], stdin=theirs.fileno(), stderr=stderr
            )
        self._control = ours
        self._answers: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)
        self._number: dict[Link, int] = {}
        self._turn = threading.Lock()

    def create(self, topology: Topology, addressing: Addressing) -> None:
        """Have the daemon make every TAP, with its final name."""
        self._number = {link: number for number, link in enumerate(topology.links)}
        specs = [
            LinkSpec(addressing.interface(k.a, k.b), addressing.interface(k.b, k.a), k.shape)
            for k in topology.links
        ]
        self._ask(Create(tuple(specs)))

    def shape_all(self, run: NodeCommand) -> None:
        """The daemon has the shapes since `create`."""

    def set_shape(self, link: Link, shape: LinkShape) -> None:
        """Change a link while the lab runs; frames in flight keep their due time."""
        self._ask(Reshape(self._number[link], shape))

    def set_carrier(self, link: Link, up: bool) -> float:
        """Take carrier away from both ends, or give it back; return when it was in force."""
        answer = self._ask(Carrier(self._number[link], up))
        assert isinstance(answer, Done)
        return answer.t_s

    def inspect(self) -> Inspection:
        """Lateness since the last inspection and counters since the start."""
        answer = self._ask(Inspect())
        assert isinstance(answer, Inspection)
        return answer

    def lateness_p99_ms(self) -> float:
        """99th percentile of how late the daemon released frames since the last call."""
        return self.inspect().lateness_p99_ms

    def processes(self) -> Mapping[str, subprocess.Popen[bytes]]:
        """The daemon."""
        return {"link-daemon": self._daemon}

    def _ask(self, request: Request) -> Answer:
        try:
            with self._turn:
                self._control.send(msgspec.json.encode(request))
                reply = self._control.recv(MAX_MESSAGE_BYTES)
        except OSError as error:
            raise LinkError(f"the link daemon does not answer: {error}") from error
        if not reply:
            raise LinkError("the link daemon has ended")
        answer = self._answers.decode(reply)
        if isinstance(answer, Failed):
            raise LinkError(f"the link daemon refused: {answer.reason}")
        return answer

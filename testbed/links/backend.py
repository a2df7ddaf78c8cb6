"""The one interface behind which links are made: by the kernel or by the link daemon."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from mininet.link import Link as MininetLink

from topologies.addressing import Addressing
from topologies.model import Link, LinkShape, Topology

NodeCommand = Callable[[str, Sequence[str]], None]
"""Runs a command in the network namespace of a node (by name); raises LinkError if it fails."""


class LinkError(Exception):
    """A link could not be made or changed; the message names it."""


class LinkBackend(Protocol):
    """Makes the links of one lab and changes them while it runs."""

    name: str
    """As shown to users: "userspace" or "kernel"."""
    datapath: str
    """Mininet's word for the OVS datapath that goes with it: "user" or "kernel"."""
    mininet_link: type[MininetLink]
    """The class with which Mininet attaches the interfaces to its nodes."""

    def create(self, topology: Topology, addressing: Addressing) -> None:
        """Make what has to be there before Mininet attaches the links.

        Raises:
            LinkError: it failed.
        """

    def shape_all(self, run: NodeCommand) -> None:
        """Put rate, delay, loss and queue in force, once Mininet has attached every link."""

    def set_shape(self, link: Link, shape: LinkShape) -> None:
        """Change a link while the lab runs; frames in flight keep their due time."""

    def set_carrier(self, link: Link, up: bool) -> float:
        """Take carrier away from both ends, or give it back.

        Returns the time (CLOCK_MONOTONIC, seconds) at which it was in force.
        """

    def lateness_p99_ms(self) -> float:
        """99th percentile of how late frames were released since the last call (kernel: 0)."""

    def processes(self) -> Mapping[str, subprocess.Popen[bytes]]:
        """Processes that must live as long as the lab, by name."""

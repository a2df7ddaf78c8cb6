"""The one interface behind which links are made: by the kernel or by the link daemon."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from testbed.records import LinkCounters
from topologies.addressing import Addressing
from topologies.model import DirectedLink, Link, LinkShape, Topology

if TYPE_CHECKING:  # the link daemon, which starts quickly, has no need of Mininet
    from mininet.link import Link as MininetLink

QUEUEING_STAYS = "one queue cannot become several, or the other way, during a run"


class LinkError(Exception):
    """A link could not be made or changed; the message names it."""


@dataclass(frozen=True)
class LinkCondition:
    """What works of a link: all of it, unless something has failed.

    While an end has no carrier, no frame passes in either direction; the other end may still have
    its own.
    """

    carrier: tuple[bool, bool] = (True, True)
    """At a, at b."""
    passes: tuple[bool, bool] = (True, True)
    """Whether frames get through: a to b, b to a. Nothing tells the ends."""


class LinkBackend(Protocol):
    """Makes the links of one lab and changes them while it runs."""

    name: str
    """As shown to users: "userspace" or "kernel"."""
    datapath: str
    """Mininet's word for the OVS datapath that goes with it: "user" or "kernel"."""
    mininet_link: type[MininetLink]
    """The class with which Mininet attaches the interfaces to its nodes."""

    def create(self, topology: Topology, addressing: Addressing) -> None:
        """Make every link, shaped, for Mininet to attach.

        Raises:
            LinkError: it failed.
        """

    def set_shape(self, link: Link, shape: LinkShape, at_s: float = 0.0) -> float:
        """Change a link while the lab runs; frames in flight keep their due time.

        Waits until `at_s` (CLOCK_MONOTONIC, seconds). Returns when it was in force.

        Raises:
            LinkError: it failed.
        """

    def set_condition(self, conditions: Mapping[Link, LinkCondition], at_s: float = 0.0) -> float:
        """Make links fail, or mend them, all at once; frames in flight of a failed link are lost.

        Waits until `at_s` (CLOCK_MONOTONIC, seconds). Returns when the last was in force.

        Raises:
            LinkError: it failed.
        """

    def counters(self) -> Mapping[DirectedLink, LinkCounters]:
        """What happened to the frames of every direction since the start."""

    def lateness_p99_ms(self) -> float:
        """99th percentile of how late frames were released since the last call (kernel: 0)."""

    def processes(self) -> Mapping[str, subprocess.Popen[bytes]]:
        """Processes that must live as long as the lab, by name."""

"""The kernel backend: veth pairs, HTB for the rate, netem for delay, jitter, loss and the queue.

See tc-htb(8) and tc-netem(8). netem sits below HTB: a frame first spends its propagation delay,
then waits for its turn at the rate; netem's limit counts both, so it is the queue plus what is
in flight.
"""

from __future__ import annotations

import math
import subprocess
import time
from collections.abc import Mapping, Sequence

from mininet.link import Link as MininetLink

from testbed.links.backend import LinkError, NodeCommand
from topologies.addressing import Addressing
from topologies.model import Link, LinkShape, Topology

_FRAME_BYTES = 1500
_HTB_BURST_BYTES = 1600
"""About one frame: a larger burst would let several through faster than the link."""


class KernelLinks:
    """Links made of the kernel's own veth and queueing disciplines."""

    name = "kernel"
    datapath = "kernel"
    mininet_link = MininetLink

    def __init__(self) -> None:
        self._links: tuple[Link, ...] = ()
        self._addressing: Addressing | None = None
        self._run: NodeCommand | None = None

    def create(self, topology: Topology, addressing: Addressing) -> None:
        """Mininet makes the veth pairs itself."""
        self._links, self._addressing = topology.links, addressing

    def shape_all(self, run: NodeCommand) -> None:
        """Attach the queueing disciplines, after OVS (which wipes those it finds)."""
        self._run = run
        for link in self._links:
            self._apply("add", link, link.shape)

    def set_shape(self, link: Link, shape: LinkShape) -> None:
        """Change a link while the lab runs; frames in flight keep their due time."""
        self._apply("change", link, shape)

    def set_carrier(self, link: Link, up: bool) -> float:
        """Set both ends down, or up; return when it was in force."""
        for node, interface in self._ends(link):
            self._command(node, ["ip", "link", "set", interface, "up" if up else "down"])
        return time.monotonic()

    def lateness_p99_ms(self) -> float:
        """The kernel does not say; its timers have a resolution of nanoseconds."""
        return 0.0

    def processes(self) -> Mapping[str, subprocess.Popen[bytes]]:
        """No process is needed."""
        return {}

    def _apply(self, verb: str, link: Link, shape: LinkShape) -> None:
        for node, interface in self._ends(link):
            for arguments in queueing_disciplines(verb, interface, shape):
                self._command(node, ["tc", *arguments])

    def _ends(self, link: Link) -> list[tuple[str, str]]:
        if self._addressing is None:
            raise LinkError("links are changed before they are created")
        return [(node, self._addressing.interface(node, peer)) for node, peer in link.directions]

    def _command(self, node: str, argv: Sequence[str]) -> None:
        if self._run is None:
            raise LinkError("links are changed before they are attached")
        self._run(node, argv)


def queueing_disciplines(verb: str, interface: str, shape: LinkShape) -> list[list[str]]:
    """Arguments of the tc commands that `add` or `change` the shape of one interface's egress."""
    rate = f"{round(shape.rate_bps)}bit"
    in_flight = math.ceil(shape.rate_bps * shape.delay_ms / 1000 / 8 / _FRAME_BYTES)
    netem = ["limit", str(shape.queue_packets + in_flight), "delay", f"{shape.delay_ms}ms"]
    if shape.jitter_ms:
        netem.append(f"{shape.jitter_ms}ms")
    if shape.loss_percent:
        netem += ["loss", f"{shape.loss_percent}%"]
    burst = [*("burst", str(_HTB_BURST_BYTES)), *("cburst", str(_HTB_BURST_BYTES))]
    device = ["dev", interface]
    commands = [
        ["class", verb, *device, *("parent", "1:", "classid", "1:1"), "htb", "rate", rate, *burst],
        ["qdisc", verb, *device, *("parent", "1:1", "handle", "10:"), "netem", *netem],
    ]
    if verb == "add":
        commands.insert(0, ["qdisc", "add", *device, "root", "handle", "1:", "htb", "default", "1"])
    return commands

"""The kernel backend: links of veth pairs, HTB and netem (testbed/links/wire.py)."""

from __future__ import annotations

import subprocess
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from testbed.interface_counters import interface_counters
from testbed.links.attachment import ReadyMadeLink
from testbed.links.backend import LinkCondition, LinkError
from testbed.links.interface_state import set_up
from testbed.links.traffic_control import Console
from testbed.links.wire import (
    Wire,
    attach,
    close_gate,
    interfaces,
    open_gate,
    renew,
    reshape,
    unchangeable,
    wires,
)
from testbed.records import LinkCounters
from topologies.addressing import Addressing
from topologies.model import DirectedLink, Link, LinkShape, Topology

Disciplines = Mapping[str, Counter[str]]
"""The figures of each interface's queues, taken together, or of its medium."""

_COUNTED = ("pfifo", "bfifo", "netem")
_FIGURES = ("packets", "drops", "qlen")


class KernelLinks:
    """Links made of the kernel's own veth and queueing disciplines."""

    name = "kernel"
    datapath = "kernel"
    mininet_link = ReadyMadeLink

    def __init__(self) -> None:
        self._wires: dict[Link, tuple[Wire, Wire]] = {}
        self._shape: dict[Link, LinkShape] = {}
        self._condition: dict[Link, LinkCondition] = {}
        self._retired: defaultdict[Wire, Counter[str]] = defaultdict(Counter)
        """Frames that queue, loss and fault took from disciplines that are no more."""
        self._tc = Console("tc")
        self._turn = threading.Lock()

    def create(self, topology: Topology, addressing: Addressing) -> None:
        """Make all interfaces, with their final names, and shape them."""
        for number, link in enumerate(topology.links):
            self._wires[link] = wires(number)
            self._shape[link] = link.shape
            self._condition[link] = LinkCondition()
        makes_interfaces = Console("ip")
        makes_interfaces.run(
            command
            for link, (forth, _) in self._wires.items()
            for command in interfaces(
                addressing.interface(link.a, link.b), addressing.interface(link.b, link.a), forth
            )
        )
        makes_interfaces.end()
        self._tc.run(
            command
            for link, directions in self._wires.items()
            for wire in directions
            for command in attach(wire, link.shape)
        )

    def set_shape(self, link: Link, shape: LinkShape, at_s: float = 0.0) -> float:
        """Change a link while the lab runs; frames in flight keep their due time."""
        _sleep_until(at_s)
        with self._turn:
            if reason := unchangeable(self._shape[link], shape):
                raise LinkError(f"{link.a}-{link.b}: {reason}")
            self._tc.run(line for wire in self._wires[link] for line in reshape(wire, shape))
            done_s = time.monotonic()
            self._shape[link] = shape
            return done_s

    def set_condition(self, conditions: Mapping[Link, LinkCondition], at_s: float = 0.0) -> float:
        """Make links fail, or mend them, all at once; a failed link loses what is in flight."""
        _sleep_until(at_s)
        with self._turn:
            failing = self._turning(conditions, works=False)
            mended = self._turning(conditions, works=True)
            gates = [close_gate(wire) for wire, _ in failing]
            gates += [open_gate(wire) for wire, _ in mended]
            before = self._disciplines(after=gates)
            self._set_carriers(conditions)
            done_s = time.monotonic()
            self._condition.update(conditions)
            self._renew(failing, before)
            return done_s

    def _set_carriers(self, conditions: Mapping[Link, LinkCondition]) -> None:
        try:
            set_up(
                (wire.entry, carrier)
                for link, condition in conditions.items()
                if condition.carrier != self._condition[link].carrier
                for wire, carrier in zip(self._wires[link], condition.carrier, strict=True)
            )
        except OSError as error:
            raise LinkError(f"an interface cannot be set up or down: {error}") from error

    def _renew(self, failed: Sequence[tuple[Wire, LinkShape]], before: Disciplines) -> None:
        """Forget what these directions hold, but keep their figures.

        `before` was read after the gates had closed, and before carrier went and with it what was
        in the medium: what has not come out since then is lost.
        """
        if not failed:
            return
        now = self._disciplines()
        for wire, _ in failed:
            queue, medium, held = now[wire.transmitter], now[wire.exit], before[wire.exit]
            came_out = medium["packets"] - held["packets"]
            self._retired[wire] += Counter(
                queue=queue["drops"],
                loss=medium["drops"],
                fault=queue["qlen"] + held["qlen"] - came_out,
            )
        self._tc.run(line for wire, shape in failed for line in renew(wire, shape))

    def _disciplines(self, after: Iterable[str] = ()) -> Disciplines:
        """What the disciplines say once the commands `after` are done."""
        (shown,) = self._tc.run([*after, "qdisc show"])
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for each in shown:
            if each["kind"] in _COUNTED:
                found[each["dev"]].update({figure: each[figure] for figure in _FIGURES})
        return dict(found)  # one that is not there has no figures, not zeros

    def _turning(
        self, conditions: Mapping[Link, LinkCondition], works: bool
    ) -> list[tuple[Wire, LinkShape]]:
        """The directions that are to work from now on, or not to, unlike before."""
        return [
            (wire, self._shape[link])
            for link, condition in conditions.items()
            for wire, was, will in zip(
                self._wires[link], _works(self._condition[link]), _works(condition), strict=True
            )
            if was != will and will == works
        ]

    def counters(self) -> Mapping[DirectedLink, LinkCounters]:
        """What happened to the frames of every direction since the start."""
        with self._turn:
            disciplines, interfaces = self._disciplines(), interface_counters()
            (actions,) = self._tc.run(["actions list action gact"])
            stopped = _stopped(actions)
            return {
                direction: LinkCounters(
                    received=interfaces[wire.entry].received.packets,
                    sent=interfaces[wire.exit].sent.packets,
                    dropped_by_queue=disciplines[wire.transmitter]["drops"]
                    + self._retired[wire]["queue"],
                    dropped_by_loss=disciplines[wire.exit]["drops"] + self._retired[wire]["loss"],
                    dropped_by_fault=stopped[wire.gate] + self._retired[wire]["fault"],
                )
                for link, directions in self._wires.items()
                for direction, wire in zip(link.directions, directions, strict=True)
            }

    def lateness_p99_ms(self) -> float:
        """The kernel does not say; its timers have a resolution of nanoseconds."""
        return 0.0

    def processes(self) -> Mapping[str, subprocess.Popen[bytes]]:
        """No process is needed."""
        return {}


def _sleep_until(at_s: float) -> None:
    time.sleep(max(at_s - time.monotonic(), 0.0))


def _works(condition: LinkCondition) -> tuple[bool, bool]:
    """Whether frames get through, a to b and b to a."""
    forth, back = condition.passes
    carrier = all(condition.carrier)
    return carrier and forth, carrier and back


def _stopped(actions: list[Any]) -> dict[int, int]:
    """Frames dropped by each gate, by its index."""
    return {
        action["index"]: action["stats"]["drops"]
        for part in actions
        for action in part.get("actions", ())
    }

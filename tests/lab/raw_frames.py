"""Numbered raw frames through one emulated link, both ends of which are in our namespace."""

from __future__ import annotations

import select
import time
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from testbed.links.backend import LinkBackend
from testbed.links.interface_state import set_up
from testbed.records import LinkCounters
from testbed.reference.frames import Receiver, number_of, numbered_frame, sender
from topologies.addressing import address
from topologies.model import Link, LinkShape, Switch, Topology


@dataclass(frozen=True)
class Arrival:
    """A frame that came out. `number` and `delay_s` mean nothing unless it is `intact`."""

    number: int
    length: int
    delay_s: float
    t_s: float
    intact: bool


class End:
    """One end of the link."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self.receiver = Receiver(interface)
        self._sender = sender(interface)

    def send(self, number: int, length: int) -> None:
        self._sender.send(numbered_frame(number, length))

    @property
    def carrier(self) -> bool:
        return Path(f"/sys/class/net/{self.interface}/carrier").read_text().strip() == "1"


class OneLink:
    """A link between two switches that are not there, made by a backend."""

    def __init__(self, backend: LinkBackend, shape: LinkShape) -> None:
        self.backend = backend
        self.link = Link("s1", "s2", shape)
        switches = (Switch("s1", "s1"), Switch("s2", "s2"))
        topology = Topology("one-link", switches, (), (self.link,))
        addressing = address(topology)
        names = [addressing.interface(*direction) for direction in self.link.directions]
        backend.create(topology, addressing)
        set_up((name, True) for name in names)
        self.a, self.b = (End(name) for name in names)
        self.sent_s: list[float] = []
        self.settle()
        self._before = backend.counters()

    def settle(self) -> None:
        """Wait until frames get through: an interface that came up is not ready at once."""
        deadline_s = time.monotonic() + 10.0
        quiet_s = 0.1 + 2 * self.link.shape.delay_ms / 1000
        for backwards in (False, True):
            while not self.send(1, backwards=backwards, quiet_s=quiet_s):
                assert time.monotonic() < deadline_s, "no frame gets through"

    def counters(self) -> tuple[LinkCounters, LinkCounters]:
        """What happened since the link was ready: a to b, b to a."""
        after = self.backend.counters()
        there, back = (
            _difference(after[direction], self._before[direction])
            for direction in self.link.directions
        )
        return there, back

    def send(
        self,
        count: int,
        *,
        length: int = 100,
        spacing_s: float = 0.001,
        backwards: bool = False,
        quiet_s: float = 0.3,
    ) -> list[Arrival]:
        """Send frames number 0, 1, ... and return what arrives, until it is quiet for `quiet_s`."""
        source, target = (self.b, self.a) if backwards else (self.a, self.b)
        exchange = _Exchange(target)
        start_s = time.monotonic()
        for number in range(count):
            exchange.receive_until(start_s + number * spacing_s)
            exchange.sent_s.append(time.monotonic())
            source.send(number, length)
        while exchange.receive_until(time.monotonic() + quiet_s):
            pass
        self.sent_s = exchange.sent_s
        return exchange.arrivals


def _difference(after: LinkCounters, before: LinkCounters) -> LinkCounters:
    figures = "received sent dropped_by_queue dropped_by_loss dropped_by_fault duplicated corrupted"
    return replace(
        after,
        **{
            figure: getattr(after, figure) - getattr(before, figure)
            for figure in figures.split()
            if getattr(after, figure) is not None
        },
    )


class _Exchange:
    def __init__(self, target: End) -> None:
        self._receiver = target.receiver
        self.sent_s: list[float] = []
        self.arrivals: list[Arrival] = []

    def receive_until(self, until_s: float) -> bool:
        """Whether anything came."""
        before = len(self.arrivals)
        while True:
            wait_s = max(until_s - time.monotonic(), 0.0)
            if not select.select([self._receiver], (), (), wait_s)[0]:
                return len(self.arrivals) > before
            for frame in self._receiver.collect():
                self.arrivals.append(self._arrival(frame, time.monotonic()))

    def _arrival(self, frame: bytes, now_s: float) -> Arrival:
        number = number_of(frame)
        if number is None:
            return Arrival(-1, len(frame), 0.0, now_s, intact=False)
        return Arrival(number, len(frame), now_s - self.sent_s[number], now_s, intact=True)

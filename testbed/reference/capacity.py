"""How much this machine carries: the highest load at which links still do what is configured.

A load is carried while less than 0.1 % of the frames vanish unexplained (the links are neither
lossy nor full), the 99th percentile of the lateness of the link daemon stays below 1 ms, and the
sender keeps up. Lateness is the daemon's own; the kernel's links have none to tell.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import msgspec

from testbed.reference.errors import MeasurementError
from testbed.reference.frames import numbered_frame, send_evenly, sender, spread
from testbed.reference.network import ReferenceNetwork
from topologies.model import LinkShape

LATENESS_MS = 1.0
LOST_SHARE = 0.001
SENT_SHARE = 0.98

_SHAPE = LinkShape(rate_bps=10e9, delay_ms=2.0, queue_packets=10_000)
"""No queue fills: what is lost, the machine has lost."""
_DRAIN_S = 0.2
_GROWTH = 1.5
_HALVINGS = 3

Limit = Literal["none", "loss", "lateness", "sender"]


class Trial(msgspec.Struct, frozen=True):
    """One load, offered for a while."""

    frames_per_s: float
    """Sent."""
    lost_share: float
    lateness_p99_ms: float
    limit: Limit
    """What was beyond its bound."""


class Carried(msgspec.Struct, frozen=True, tag="carried"):
    """The highest load that was carried, and what is beyond its bound above it."""

    links: int
    frame_bytes: int
    frames_per_s: float
    """Of all links together; 0: not even the least load was carried."""
    lateness_p99_ms: float
    limit: Limit
    beyond: Trial | None
    """The lowest load that was not carried."""

    @property
    def mbps(self) -> float:
        """Of all links together, whole Ethernet frames."""
        return self.frames_per_s * self.frame_bytes * 8 / 1e6


class Capacity(msgspec.Struct, frozen=True, tag="capacity"):
    """Frames spread evenly over links of 2 ms, ever more of them.

    With `frames_per_s_of_link`, a load is that many frames/s over ever more links, at most
    `links`; otherwise over all of them.
    """

    links: int
    frame_bytes: int
    least_frames_per_s: float
    most_frames_per_s: float
    trial_s: float
    frames_per_s_of_link: float | None = None

    def describe(self) -> str:
        """What is done, for whoever waits."""
        if self.frames_per_s_of_link:
            return f"how many links can be carried, up to {self.links}"
        return f"how many frames of {self.frame_bytes} bytes can be carried"

    def carry_out(self, backend: str, logs: Path) -> Carried:
        """Measure, inside a sandbox."""
        shapes = [_SHAPE] * self.links
        with ReferenceNetwork(backend, shapes, logs) as network, ExitStack() as sockets:
            network.make()
            network.settle()
            senders = [sockets.enter_context(sender(near)) for near in network.near]

            def attempt(frames_per_s: float) -> Trial:
                return self._attempt(network, senders[: self._used(frames_per_s)], frames_per_s)

            best, beyond = search(attempt, self.least_frames_per_s, self.most_frames_per_s)
        carried = best.frames_per_s if best else 0.0
        return Carried(
            links=self._used(carried) if best else 0,
            frame_bytes=self.frame_bytes,
            frames_per_s=carried,
            lateness_p99_ms=best.lateness_p99_ms if best else 0.0,
            limit=beyond.limit if beyond else "none",
            beyond=beyond,
        )

    def _used(self, frames_per_s: float) -> int:
        if self.frames_per_s_of_link is None:
            return self.links
        return min(self.links, max(1, math.floor(frames_per_s / self.frames_per_s_of_link)))

    def _attempt(
        self, network: ReferenceNetwork, senders: Sequence[socket.socket], frames_per_s: float
    ) -> Trial:
        count = round(frames_per_s * self.trial_s)
        if network.backend is not None:
            network.backend.lateness_p99_ms()  # from here on
        before = sum(network.received_frames())
        send = spread(senders, numbered_frame(0, self.frame_bytes))
        took_s = send_evenly(frames_per_s, count, send, lambda: None)
        time.sleep(_DRAIN_S)
        lost_share = 1 - (sum(network.received_frames()) - before) / count
        lateness_ms = network.backend.lateness_p99_ms() if network.backend else 0.0
        sent_per_s = count / took_s
        limit: Limit = "none"
        if lost_share >= LOST_SHARE:
            limit = "loss"
        elif lateness_ms >= LATENESS_MS:
            limit = "lateness"
        elif sent_per_s < SENT_SHARE * frames_per_s:
            limit = "sender"
        return Trial(sent_per_s, max(lost_share, 0.0), lateness_ms, limit)


def search(
    attempt: Callable[[float], Trial], least: float, most: float
) -> tuple[Trial | None, Trial | None]:
    """The highest load that was carried and the lowest that was not, if there was one.

    Loads grow by half from `least` to `most`, then the last step is halved three times. A load
    that fails gets a second chance: one hiccup of a busy machine is no limit.
    """

    def fair(load: float) -> Trial:
        first = attempt(load)
        return first if first.limit == "none" else attempt(load)

    if most < least:
        raise MeasurementError(f"no load lies between {least:g} and {most:g} frames/s")
    best: Trial | None = None
    beyond: Trial | None = None
    low, load = 0.0, least
    while True:
        trial = fair(load)
        if trial.limit != "none":
            beyond, high = trial, load
            break
        best, low = trial, load
        if load >= most:
            return best, None
        load = min(load * _GROWTH, most)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        trial = fair(middle)
        if trial.limit == "none":
            best, low = trial, middle
        else:
            beyond, high = trial, middle
    return best, beyond

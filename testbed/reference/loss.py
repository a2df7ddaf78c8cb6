"""How many of many frames a lossy link loses, and how many in a row."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise
from pathlib import Path

import msgspec

from testbed.reference.errors import MeasurementError
from testbed.reference.frames import Receiver, number_of, numbered_frame, send_evenly, sender
from testbed.reference.network import ReferenceNetwork
from topologies.model import LinkShape

_FRAME_BYTES = 100
_RATE_BPS = 1e9
_DELAY_MS = 1.0
_DRAIN_S = 0.3


class Lost(msgspec.Struct, frozen=True, tag="lost"):
    """What became of the frames."""

    loss_percent: float
    """As configured (0 on a plain link)."""
    burst_packets: float | None
    """Mean length of a burst, as configured."""
    sent: int
    lost: int
    bursts: int
    """Runs of lost frames, of any length."""

    @property
    def mean_burst_packets(self) -> float:
        """Frames lost in a row."""
        return self.lost / self.bursts if self.bursts else 0.0


class Loss(msgspec.Struct, frozen=True, tag="loss"):
    """Numbered frames of 100 bytes, sent at an even pace."""

    loss_percent: float
    frames: int
    frames_per_s: float
    burst_packets: float | None = None

    def describe(self) -> str:
        """What is done, for whoever waits."""
        bursts = f", {self.burst_packets:g} in a row" if self.burst_packets else ""
        return f"loss of {self.loss_percent:g} %{bursts}: {self.frames:,} frames"

    def carry_out(self, backend: str, logs: Path) -> Lost:
        """Measure, inside a sandbox.

        Raises:
            MeasurementError: frames that had arrived were missed.
        """
        shape = LinkShape(
            rate_bps=_RATE_BPS,
            delay_ms=_DELAY_MS,
            loss_percent=self.loss_percent,
            loss_burst_packets=self.burst_packets,
            queue_packets=1000,
        )
        with ReferenceNetwork(backend, [shape], logs) as network:
            network.make()
            network.settle()
            receiver = Receiver(network.far[0])
            arrived: set[int | None] = set()

            def take_in() -> None:
                arrived.update(map(number_of, receiver.collect()))

            with sender(network.near[0]) as near:
                send_evenly(
                    self.frames_per_s,
                    self.frames,
                    lambda number: near.send(numbered_frame(number, _FRAME_BYTES)),
                    take_in,
                )
            # Nothing is sent any more: what is under way arrives meanwhile.
            send_evenly(1000, round(1000 * _DRAIN_S), lambda _: None, take_in)
            if missed := receiver.missed():
                raise MeasurementError(f"{missed} frames arrived faster than they were taken in")
        arrived.discard(None)  # frames that are not ours
        return Lost(
            loss_percent=self.loss_percent,
            burst_packets=self.burst_packets,
            sent=self.frames,
            lost=self.frames - len(arrived),
            bursts=count_bursts(arrived, self.frames),
        )


def count_bursts(arrived: Collection[int | None], sent: int) -> int:
    """Runs of numbers in 0 to `sent` - 1 that did not arrive."""
    there = [True, *(number in arrived for number in range(sent))]
    return sum(before and not now for before, now in pairwise(there))

"""The pace of one stream: its iperf client is handed a block for every packet when that is due."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from generators.iperf import block
from generators.records import Segment
from generators.replay_plan import Stream
from generators.replay_processes import Client

_PATIENCE_S = 1.0
"""A write that TCP could not take for so long is left out: what it carries is not put off."""


@dataclass
class _Outcome:
    """What has become of the segment that a stream is in."""

    sent_packets: int = 0
    late_s: float | None = None
    """Of its first packet that was handed over."""
    error: str = ""
    host_crashed_s: float | None = None


class Feed:
    """Where a stream stands, whose times count from `t0_s` (CLOCK_MONOTONIC).

    A client sends a packet by itself when it is started and one at the end of its input. These are
    the first and the last that are due: all others are handed over. One of TCP is handed all.
    """

    def __init__(self, stream: Stream, t0_s: float) -> None:
        self.stream = stream
        self.client: Client | None = None
        self.segment = 0
        """The number of the one that it is in."""
        self._t0_s = t0_s
        self._is_tcp = stream.transport == "tcp"
        self._packets = stream.due()
        if not self._is_tcp:
            next(self._packets)
        self._next = next(self._packets, None)
        self._following = next(self._packets, None)
        self._outcome = _Outcome()

    @property
    def due_s(self) -> float | None:
        """When the next packet is; None when all have left."""
        return None if self._next is None else self._t0_s + self._next[1]

    @property
    def end_s(self) -> float:
        """When the last segment ends."""
        return self._t0_s + self.stream.end_s

    @property
    def next_segment(self) -> int:
        """The number of the one that the next packet belongs to; after the last, one more."""
        return len(self.stream.segments) if self._next is None else self._next[0]

    def enter_next_segment(self) -> Iterator[Segment]:
        """Go on to it; yield the records of those that are over thereby."""
        while self.segment < self.next_segment:
            yield self.record()
            self.segment += 1
            self._outcome = _Outcome()

    def launched(self, client: Client) -> None:
        """Feed this client from now on. It has sent a packet, if of UDP."""
        self.client = client
        self._outcome.sent_packets += not self._is_tcp

    def failed(self, error: str, host_crashed_s: float | None = None) -> None:
        """There is no client any more: what is due goes nowhere until another is launched."""
        self.client = None
        self._outcome.error, self._outcome.host_crashed_s = error, host_crashed_s

    def hand_over(self, now_s: float) -> bool:
        """Hand over the packet that is due; False: the client has not taken the last ones yet."""
        assert self._next is not None, "asked for when a packet is due"
        late_s = max(0.0, now_s - self._t0_s - self._next[1])
        if self.client is None or self._give(self.client):
            self._outcome.sent_packets += 1
        elif not self._is_tcp or late_s < _PATIENCE_S:
            return False
        if self._outcome.late_s is None:
            self._outcome.late_s = late_s
        if self._is_tcp and self._following is None and self.client is not None:
            self.client.end_input()
        self._next, self._following = self._following, next(self._packets, None)
        return True

    def _give(self, client: Client) -> bool:
        try:
            if self._is_tcp:
                os.write(client.input, bytes(self.stream.payload_bytes))
            elif self._following is None:
                client.end_input()
            else:
                os.write(client.input, block(self.stream.payload_bytes, time.time()))
        except BlockingIOError:
            return False
        except BrokenPipeError:
            pass  # why it has ended will be known when its output ends
        return True

    def record(self) -> Segment:
        """Of the segment that it is in, as far as that has got."""
        stream, segment, outcome = self.stream, self.stream.segments[self.segment], self._outcome
        start_s = self._t0_s + segment.start_s
        sent_packets = -1 if outcome.error else outcome.sent_packets
        return Segment(
            src=stream.source,
            dst=stream.target,
            attack=stream.attack,
            requested_bps=segment.rate_bps,
            start_s=start_s,
            started_s=start_s + (outcome.late_s or 0.0),
            duration_s=segment.duration_s,
            sent_packets=sent_packets,
            sent_bytes=max(sent_packets, 0) * stream.frame_bytes,
            error=outcome.error,
            transport=stream.transport,
            host_crashed_s=outcome.host_crashed_s,
        )

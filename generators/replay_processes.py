"""The iperf processes of a replay, and what their output comes to."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field

from generators.iperf import LATENCY_BIN_MS, FlowMeter, Interval, parse_sent_payload_bytes
from generators.records import Received, Segment
from generators.replay_plan import PlannedSegment

OVERTIME_S = 3.0
"""How long a client may go on after its end."""


@dataclass(eq=False)
class Client:
    """One client, running or ended."""

    segment: PlannedSegment
    process: subprocess.Popen[bytes]
    due_s: float
    started_s: float
    output: bytearray = field(default_factory=bytearray)
    killed_because: str = ""

    @property
    def deadline_s(self) -> float:
        """When it must have ended, in CLOCK_MONOTONIC."""
        return max(self.due_s, self.started_s) + self.segment.duration_s + OVERTIME_S

    def kill(self, reason: str) -> None:
        """End it before its time; `reason` will stand in its record."""
        self.killed_because = reason
        self.process.kill()

    def record(self, crashed_s: float | None) -> Segment:
        """The outcome, once the process has closed its output.

        `crashed_s` is when its host crashed while the client ran, if it did.
        """
        segment, text = self.segment, self.output.decode(errors="replace")
        self.process.wait()
        sent = None if self.killed_because else parse_sent_payload_bytes(text)
        if sent is None and crashed_s is not None:
            return unsent(segment, self.due_s, self.started_s, crashed_s)
        packets = -1 if sent is None else round(sent / segment.sending.payload_bytes)
        return Segment(
            src=segment.source,
            dst=segment.target,
            attack=segment.attack,
            requested_bps=segment.rate_bps,
            start_s=self.due_s,
            started_s=self.started_s,
            duration_s=segment.duration_s,
            sent_packets=packets,
            sent_bytes=max(packets, 0) * segment.sending.frame_bytes,
            error="" if sent is not None else self.killed_because or last_line(text),
        )


def unsent(segment: PlannedSegment, due_s: float, started_s: float, crashed_s: float) -> Segment:
    """The record of a client that its host's crash has ended, or kept from starting."""
    return Segment(
        src=segment.source,
        dst=segment.target,
        attack=segment.attack,
        requested_bps=segment.rate_bps,
        start_s=due_s,
        started_s=started_s,
        duration_s=segment.duration_s,
        sent_packets=-1,
        sent_bytes=0,
        error=f"{segment.source} had crashed",
        host_crashed_s=crashed_s,
    )


@dataclass(eq=False)
class Flow:
    """A client as its server sees it."""

    segment: PlannedSegment
    start_s: float
    meter: FlowMeter
    is_known: bool = False
    """Whether its server has reported it."""

    def received(self, interval: Interval) -> Received:
        """What one of its intervals says, in the terms of the run."""
        return Received(
            src=self.segment.source,
            dst=self.segment.target,
            attack=self.segment.attack,
            start_s=self.start_s + interval.start_s,
            end_s=self.start_s + interval.end_s,
            packets=interval.packets,
            bytes=interval.packets * self.segment.sending.frame_bytes,
            lost_packets=interval.lost_packets,
            latency_mean_ms=interval.latency_mean_ms,
            latency_bin_ms=LATENCY_BIN_MS,
            latency_counts=interval.latency_counts,
        )


@dataclass(eq=False)
class Server:
    """One server and the flows that it has reported."""

    host: str
    port: int
    process: subprocess.Popen[bytes]
    started_s: float
    output: bytearray = field(default_factory=bytearray)
    flows: dict[int, Flow] = field(default_factory=dict)
    """By iperf's number of the flow."""
    is_ending: bool = False


def last_line(text: str) -> str:
    """What a process said last: usually why it ended."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it ended without a word"

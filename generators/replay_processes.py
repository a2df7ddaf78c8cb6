"""The iperf clients of a replay, and what comes of them."""

from __future__ import annotations

import fcntl
import os
import subprocess
from dataclasses import dataclass, field

from generators.iperf import (
    LATENCY_BIN_MS,
    FlowMeter,
    Interval,
    StreamMeter,
    parse_sent_payload_bytes,
)
from generators.records import Received
from generators.replay_plan import Stream

_TCP_WAITS_S = 0.1
"""What waits for TCP is little, so that it stops soon when it is to stop."""
OVERTIME_S = 3.0
"""How long a client may go on after its end."""


@dataclass(eq=False)
class Client:
    """One client, running or ended."""

    stream: Stream
    process: subprocess.Popen[bytes]
    started_s: float
    deadline_s: float
    """When it must have ended, in CLOCK_MONOTONIC."""
    output: bytearray = field(default_factory=bytearray)
    killed_because: str = ""
    is_cut_off: bool = False

    def __post_init__(self) -> None:
        os.set_blocking(self.input, False)
        if self.stream.transport == "tcp":
            waiting_bytes = int(self.stream.peak_bps / 8 * _TCP_WAITS_S)
            fcntl.fcntl(self.input, fcntl.F_SETPIPE_SZ, min(max(4096, waiting_bytes), 1 << 20))

    @property
    def input(self) -> int:
        """Where it reads blocks from."""
        assert self.process.stdin is not None, "started with stdin=PIPE"
        return self.process.stdin.fileno()

    def end_input(self) -> None:
        """It sends its last packet and ends."""
        assert self.process.stdin is not None, "started with stdin=PIPE"
        self.process.stdin.close()

    def kill(self, reason: str) -> None:
        """End it before its time; `reason` is why."""
        self.killed_because = reason
        self.process.kill()

    def cut_off(self) -> None:
        """End it though TCP has not got everything through: it was given its time, or the server
        is another one."""
        self.is_cut_off = True
        self.process.kill()

    def error(self) -> str:
        """Why it has ended, once it has closed its output; empty if all was well."""
        self.end_input()
        self.process.wait()
        if self.is_cut_off:
            return ""
        text = self.output.decode(errors="replace")
        if self.killed_because or parse_sent_payload_bytes(text) is None:
            return self.killed_because or last_line(text)
        return ""


@dataclass(eq=False)
class Flow:
    """A client as its server sees it."""

    stream: Stream
    start_s: float
    meter: FlowMeter | StreamMeter
    is_known: bool = False
    """Whether its server has reported it."""

    def received(self, interval: Interval) -> Received:
        """What one of its intervals says, in the terms of the run."""
        return Received(
            src=self.stream.source,
            dst=self.stream.target,
            attack=self.stream.attack,
            start_s=self.start_s + interval.start_s,
            end_s=self.start_s + interval.end_s,
            packets=interval.packets,
            bytes=interval.packets * self.stream.frame_bytes,
            lost_packets=interval.lost_packets,
            latency_mean_ms=interval.latency_mean_ms,
            latency_bin_ms=LATENCY_BIN_MS,
            latency_counts=interval.latency_counts,
            transport=self.stream.transport,
        )


def last_line(text: str) -> str:
    """What a process said last: usually why it ended."""
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it ended without a word"

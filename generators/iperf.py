"""iperf 2.1 as a source and sink of traffic: its command lines, and its text output as data.

Only options and output that iperf 2.1.5 to 2.1.9 share are used. Checked against the manual page
and the source of 2.1.8:

- A client opens its flow with one datagram at once and waits until `--txstart-time`. The server's
  intervals start then as well, provided that first datagram came before.
- With `-I` it then sends a datagram for every block that it reads on its standard input, which is
  as long as a datagram's payload less iperf's own header. `-b` is only the most that it may be.
  So the pace, and any change of it, is that of whoever writes, and the flow lives through it. A
  client for every new rate instead costs 10 to 15 ms of processor time each, and a hole.
- The block takes the place of iperf's test header, which a server looks for in the first datagram
  that reaches it: without it there are no delays, and no histograms. For a server that has missed
  the start, or was started anew, any block may be the first, so each begins with that header.
- At the end of its input it sends one datagram more, which counts too.
- With `--no-udp-fin` the last datagram is not acknowledged. Without it a client repeats it every
  10 ms until the acknowledgement arrives, which in a congested network is a flood of its own.
  The price: when that one datagram is lost, the flow lives on, idle, until the server ends.
- A TCP client with `-I` connects at once and writes each block that it has read whole; with `-N`
  every write leaves as a segment of its own unless earlier ones still wait. At the end of its
  input it closes the connection.
- A server's read that times out (after half an interval without a datagram) puts the previous
  datagram into the latency statistics once more, later by that time. `FlowMeter` takes it out.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from dataclasses import dataclass, field

FRAME_OVERHEAD_BYTES = 14 + 20 + 8
"""Ethernet, IPv4 and UDP headers around a payload; preamble and FCS are not counted."""
TCP_FRAME_OVERHEAD_BYTES = 14 + 20 + 32
"""The same with TCP and its time stamps (RFC 7323)."""

LATENCY_BIN_MS = 0.5
LATENCY_BINS = 4000
"""Delays up to 2 s; whatever took longer is counted in one bin after the last."""

FEWEST_PACKETS = 2
"""A client cannot send fewer: the first and the last."""

_HEADER_BYTES = 16
"""iperf's own, in every payload: number and time."""
_TEST_HEADER = struct.Struct("!I28xH62xII")
"""After it: flags, upper flags, start in Unix seconds and microseconds; see its payloads.h."""
_TEST_FLAGS = 0x40000000 | 0x20000000 | 0x08000000
"""HEADER_EXTEND, HEADER_UDPTESTS, HEADER_SEQNO64B."""
_TEST_UPPER_FLAGS = 0x0008 | 0x0010
"""HEADER_NOUDPFIN, HEADER_TRIPTIME."""
_LARGEST_PAYLOAD_BYTES = 1400
_SMALLEST_PAYLOAD_BYTES = 128
_WANTED_PACKETS_PER_S = 4
"""Below 46 kbit/s packets get smaller instead of rarer, so that every interval sees some."""
_UNSENT_BYTES = 16384
"""What a TCP client may have written that has not left yet (TCP_NOTSENT_LOWAT)."""
_HEADROOM = 4.0
"""How much faster than the highest rate a client may send what it has been handed late."""


def suitable_payload_bytes(rate_bps: float) -> int:
    """The size of packets that suits a rate of Ethernet frames."""
    wanted = round(rate_bps / 8 / _WANTED_PACKETS_PER_S) - FRAME_OVERHEAD_BYTES
    return min(max(wanted, _SMALLEST_PAYLOAD_BYTES), _LARGEST_PAYLOAD_BYTES)


def block(payload_bytes: int, unix_s: float) -> bytes:
    """What a client must read to send one packet at `unix_s`.

    A server that has not met the flow before counts its intervals from that time.
    """
    seconds, fraction = divmod(unix_s, 1.0)
    times = int(seconds), int(fraction * 1e6)
    header = _TEST_HEADER.pack(_TEST_FLAGS, _TEST_UPPER_FLAGS, *times)
    return header.ljust(payload_bytes - _HEADER_BYTES, b"\0")


def server_argv(port: int, interval_s: float) -> list[str]:
    """A UDP server on `port` that reports every flow every `interval_s`."""
    histograms = f"--histograms={LATENCY_BIN_MS * 1000:.0f}u,{LATENCY_BINS}"
    return [
        *("iperf", "-s", "-u", "-e", "-f", "b"),
        *("-p", str(port), "-i", f"{interval_s:g}", histograms),
    ]


def tcp_server_argv(port: int, interval_s: float) -> list[str]:
    """A TCP server on `port` that reports every connection every `interval_s`."""
    return ["iperf", "-s", "-e", "-f", "b", "-p", str(port), "-i", f"{interval_s:g}"]


def tcp_client_argv(
    source: tuple[str, int], target: tuple[str, int], payload_bytes: int
) -> list[str]:
    """A TCP client from one (IPv4 address, port) to another, fed through its standard input."""
    return [
        *("iperf", "-e", "-f", "b", "-N"),
        *("-c", target[0], "-p", str(target[1]), "-B", f"{source[0]}:{source[1]}", "-I"),
        *("-l", str(payload_bytes), "--tcp-write-prefetch", str(_UNSENT_BYTES)),
    ]


def client_argv(
    source: tuple[str, int],
    target: tuple[str, int],
    payload_bytes: int,
    peak_bps: float,
    start_unix_s: float,
    longest_s: float,
) -> list[str]:
    """A UDP client from one (IPv4 address, port) to another, fed through its standard input.

    It begins at `start_unix_s` and lives until its input ends, at most `longest_s`. `peak_bps` is
    the highest rate it will be fed at.
    """
    return [
        *("iperf", "-u", "-e", "-f", "b", "--trip-times", "--no-udp-fin"),
        # -I after -c: iperf does not know before that it is a client, and would flood.
        *("-c", target[0], "-p", str(target[1]), "-B", f"{source[0]}:{source[1]}", "-I"),
        *("-l", str(payload_bytes), "-b", f"{_HEADROOM * peak_bps:.0f}"),
        *("-t", f"{longest_s:.0f}", "--txstart-time", f"{start_unix_s:.6f}"),
    ]


@dataclass(frozen=True)
class Connected:
    """A server's line about a new flow."""

    flow: int
    source: tuple[str, int]
    """IPv4 address and port of the client."""


@dataclass(frozen=True)
class Counts:
    """A server's line about one interval of a flow, or about the whole of it."""

    flow: int
    start_s: float
    end_s: float
    payload_bytes: int
    datagrams: int
    """Received and lost."""
    latency_mean_ms: float | None


@dataclass(frozen=True)
class Delivery:
    """A TCP server's line about one interval of a connection, or about the whole of it."""

    flow: int
    start_s: float
    end_s: float
    payload_bytes: int


@dataclass(frozen=True)
class Histogram:
    """A server's line with the delays since a flow's last one; of the whole flow when `final`."""

    flow: int
    final: bool
    counts: Counter[int]
    """Packets by bin; bin i holds delays of [i, i + 1) * LATENCY_BIN_MS."""


_CONNECTED = re.compile(r"\[ *(\d+)\] local \S+ port \d+ connected with ([\d.]+) port (\d+)")
_COUNTS = re.compile(
    r"\[ *(\d+)\] +([\d.]+)- *([\d.]+) sec +([\d.]+) Bytes +[\d.]+ bits/sec +[\d.]+ ms"
    r" +-?\d+/ *(\d+) \([^)]*\) +(-|[\d.]+)/"
)
_DELIVERY = re.compile(
    r"\[ *(\d+)\] +([\d.]+)- *([\d.]+) sec +([\d.]+) Bytes +[\d.]+ bits/sec +\d+="
)
_HISTOGRAM = re.compile(
    r"\[ *(\d+)\] +[\d.]+- *[\d.]+ sec T8(\(f\))?-PDF: bin\(w=\d+us\):cnt\(\d+\)=?([\d:,]*) "
    r".*obl/obu=(\d+)/(\d+)\)"
)
_CLIENT_TOTAL = re.compile(r"^\[ *\d+\] +0\.0+- *[\d.]+ sec +([\d.]+) Bytes ", re.MULTILINE)


def parse_server_line(line: str) -> Connected | Counts | Histogram | Delivery | None:
    """What one line of a server's output says; None for headings, sums and remarks."""
    if match := _COUNTS.match(line):
        flow, start, end, payload, datagrams, latency = match.groups()
        return Counts(
            flow=int(flow),
            start_s=float(start),
            end_s=float(end),
            payload_bytes=round(float(payload)),
            datagrams=int(datagrams),
            latency_mean_ms=None if latency == "-" else float(latency),
        )
    if match := _HISTOGRAM.match(line):
        flow, final, bins, below, above = match.groups()
        pairs = (pair.split(":") for pair in bins.split(",") if pair)
        counts = Counter({int(number) - 1: int(count) for number, count in pairs})
        counts.update({0: int(below), LATENCY_BINS: int(above)})
        return Histogram(flow=int(flow), final=final is not None, counts=+counts)
    if match := _DELIVERY.match(line):
        flow, start, end, payload = match.groups()
        return Delivery(int(flow), float(start), float(end), round(float(payload)))
    if match := _CONNECTED.match(line):
        flow, address, port = match.groups()
        return Connected(flow=int(flow), source=(address, int(port)))
    return None


def parse_sent_payload_bytes(output: str) -> int | None:
    """The payload that a client says it sent, in all; None when it did not get that far."""
    totals = _CLIENT_TOTAL.findall(output)
    return round(float(totals[-1])) if totals else None


@dataclass(frozen=True)
class Interval:
    """What a server got of one flow over [start_s, end_s) after the flow's start."""

    start_s: float
    end_s: float
    packets: int
    lost_packets: int
    """Gaps in the numbering; negative when packets counted as lost before came after all."""
    latency_mean_ms: float
    latency_counts: tuple[tuple[int, int], ...]
    """(bin, packets), ascending."""


@dataclass
class FlowMeter:
    """Turns the lines about one flow into intervals that add up to its totals.

    A server sums a flow's last, incomplete interval up with all the others. So what that interval
    held is the total less what went before.
    """

    payload_bytes: int
    """Of each packet."""
    is_over: bool = False
    """Whether the server has reported its totals."""
    _line: Counts | None = None
    _end_s: float = 0.0
    _packets: int = 0
    _datagrams: int = 0
    _delays: Counter[int] = field(default_factory=Counter)

    def at_new_server(self) -> FlowMeter:
        """For the same flow, when another server goes on with it."""
        return FlowMeter(self.payload_bytes, _datagrams=self._datagrams)

    def feed(self, line: Counts | Histogram | Delivery) -> Interval | None:
        """Take the flow's next line; the interval it completes, if packets came in it."""
        if isinstance(line, Delivery):
            return None
        if isinstance(line, Counts):
            self._line = line
            return None
        counts, self._line = self._line, None
        if counts is None or (line.final and counts.start_s > 0):
            return None
        packets = round(counts.payload_bytes / self.payload_bytes)
        datagrams, delays, mean_ms = counts.datagrams, line.counts, counts.latency_mean_ms
        if counts.start_s == 0:  # by their numbers, so from the flow's first datagram on
            datagrams -= self._datagrams
        if line.final:
            self.is_over = True
            packets -= self._packets
            delays = delays - self._delays
            mean_ms = None  # it is that of the whole flow
        return self._interval(max(counts.end_s, self._end_s), packets, datagrams, delays, mean_ms)

    def _interval(
        self,
        end_s: float,
        packets: int,
        datagrams: int,
        delays: Counter[int],
        mean_ms: float | None,
    ) -> Interval | None:
        start_s, self._end_s = self._end_s, end_s
        self._packets += packets
        self._datagrams += datagrams
        self._delays += delays
        if packets <= 0:
            return None
        repeated = sum(delays.values()) - packets
        if repeated > 0:
            delays, mean_ms = _without_largest(delays, repeated), None
        return Interval(
            start_s=start_s,
            end_s=end_s,
            packets=packets,
            lost_packets=datagrams - packets,
            latency_mean_ms=_mean_ms(delays) if mean_ms is None else mean_ms,
            latency_counts=tuple(sorted(delays.items())),
        )


@dataclass
class StreamMeter:
    """Turns the lines about one connection into intervals that add up to its total.

    A server sums the last, incomplete interval up with all the others, as of a flow of UDP.
    """

    payload_bytes: int
    """Of each write."""
    is_over: bool = False
    """Whether the server has reported the total."""
    _end_s: float = 0.0
    _taken_bytes: int = 0
    _writes: int = 0

    def at_new_server(self) -> StreamMeter:
        """A connection does not outlive its server."""
        return StreamMeter(self.payload_bytes)

    def feed(self, line: Counts | Histogram | Delivery) -> Interval | None:
        """Take the connection's next line; the interval it completes, if something came in it."""
        if not isinstance(line, Delivery):
            return None
        self.is_over = line.start_s < self._end_s
        taken_bytes = line.payload_bytes + (0 if self.is_over else self._taken_bytes)
        start_s, self._end_s = self._end_s, max(line.end_s, self._end_s)
        writes = taken_bytes // self.payload_bytes - self._writes
        self._taken_bytes, self._writes = taken_bytes, self._writes + writes
        return Interval(start_s, self._end_s, writes, 0, 0.0, ()) if writes > 0 else None


def _without_largest(delays: Counter[int], count: int) -> Counter[int]:
    kept = Counter(delays)
    for index in sorted(delays, reverse=True):
        taken = min(kept[index], count)
        kept[index] -= taken
        count -= taken
    return +kept


def _mean_ms(delays: Counter[int]) -> float:
    """Mean of a histogram, each packet at the middle of its bin."""
    packets = sum(delays.values())
    if not packets:
        return 0.0
    return sum((index + 0.5) * count for index, count in delays.items()) * LATENCY_BIN_MS / packets

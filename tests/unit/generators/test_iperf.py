# ruff: noqa: E501 - lines as iperf prints them
"""iperf's command lines, and its output as captured from version 2.1.8."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.iperf import (
    FRAME_OVERHEAD_BYTES,
    LATENCY_BINS,
    Connected,
    Counts,
    Delivery,
    FlowMeter,
    Histogram,
    Interval,
    StreamMeter,
    block,
    client_argv,
    parse_sent_payload_bytes,
    parse_server_line,
    suitable_payload_bytes,
)

HEADINGS = """\
------------------------------------------------------------
Server listening on UDP port 5001 with pid 35
Enabled receive histograms bin-width=0.500 ms, bins=4000 (clients should use --trip-times)
[ ID] Interval            Transfer     Bandwidth      Write/Err  PPS
[SUM] 4.0000-5.0000 sec  218400 Bytes  1747200 bits/sec  0/156      157 pps
[  2] 0.0000-1.0000 sec  1 datagrams received out-of-order"""

CONNECTED = (
    "[  5] local 10.0.0.2%h2-eth0 port 5001 connected with 10.0.0.1 port 6006 (epoch-start) "
    "(no-udp-fin) (trip-times) (sock=3) (peer 2.1.8) on 2026-11-23 06:42:34 (UTC)"
)

# One client of 1400 bytes at 1 Mbit/s, 2.5 s, nothing lost.
FREE = """\
[  1] 0.0000-1.0000 sec  127400 Bytes  1019200 bits/sec   0.011 ms 0/91 (0%) 0.031/0.006/0.204/0.024 ms 312 pps 91/0(0) pkts 4175
[  1] 0.0000-1.0000 sec T8-PDF: bin(w=500us):cnt(91)=1:91 (5.00/95.00/99.7%=1/1/1,Outliers=0,obl/obu=0/0)
[  1] 1.0000-2.0000 sec  124600 Bytes  996800 bits/sec   0.011 ms 0/89 (0%) 0.043/0.015/0.095/0.012 ms 89 pps 89/0(0) pkts 2914
[  1] 1.0000-2.0000 sec T8-PDF: bin(w=500us):cnt(89)=1:89 (5.00/95.00/99.7%=1/1/1,Outliers=0,obl/obu=0/0)
[  1] 2.0000-2.5202 sec  65800 Bytes  1011870 bits/sec   0.016 ms 0/47 (0%) 0.049/0.027/0.098/0.014 ms 89 pps 47/0(0) pkts 2604
[  1] 2.0000-2.5202 sec T8(f)-PDF: bin(w=500us):cnt(227)=1:227 (5.00/95.00/99.7%=1/1/1,Outliers=0,obl/obu=0/0)
[  1] 0.0000-2.5202 sec  317800 Bytes  1008799 bits/sec   0.016 ms 0/227 (0%) 0.039/0.006/0.204/0.019 ms 90 pps 227/0(0) pkts 3229
[  1] 0.0000-2.5202 sec T8(f)-PDF: bin(w=500us):cnt(227)=1:227 (5.00/95.00/99.7%=1/1/1,Outliers=0,obl/obu=0/0)
"""

# A bottleneck of 5 Mbit/s, with bins of 1 ms and most of them cut out.
CONGESTED = """\
[  3] 0.0000-1.0000 sec  197400 Bytes  1579200 bits/sec   0.868 ms 11/152 (7.2%) 90.813/0.040/159.307/51.128 ms 142 pps 141/13(7) pkts 2.173693
[  3] 0.0000-1.0000 sec T8-PDF: bin(w=1000us):cnt(141)=1:2,98:117,158:3,159:14,160:5 (5.00/95.00/99.7%=10/159/160,Outliers=0,obl/obu=0/0)
[  3] 1.0000-2.0000 sec  158200 Bytes  1265600 bits/sec   0.713 ms 65/178 (37%) 158.530/157.740/159.305/0.426 ms 113 pps 113/18(0) pkts 0.997917
[  3] 1.0000-2.0000 sec T8-PDF: bin(w=1000us):cnt(113)=158:13,159:80,160:20 (5.00/95.00/99.7%=158/160/160,Outliers=0,obl/obu=0/0)
[  3] 0.0000-2.1685 sec  385000 Bytes  1420320 bits/sec   0.785 ms 86/361 (24%) 123.805/0.040/159.307/49.852 ms 127 pps 275/16(6) pkts 1.434026
[  3] 0.0000-2.1685 sec T8(f)-PDF: bin(w=1000us):cnt(275)=1:2,98:117,158:20,159:106,160:30 (5.00/95.00/99.7%=18/160/160,Outliers=0,obl/obu=0/0)
"""

# 10 kbit/s in packets of 1400 bytes: gaps longer than half an interval, so reads time out.
SPARSE = """\
[  2] 0.0000-1.0000 sec  1400 Bytes  11200 bits/sec   0.000 ms 0/1 (0%) 255.178/0.077/510.279/360.767 ms 2 pps 1/1(1) pkts 0.005486
[  2] 0.0000-1.0000 sec T8-PDF: bin(w=500us):cnt(2)=1:1,1021:1 (5.00/95.00/99.7%=1/511/511,Outliers=0,obl/obu=0/0)
[  2] 0.0000-1.0000 sec  1 datagrams received out-of-order
"""

# The last datagram was lost: silence until the server is ended.
CUT = """\
[  4] 0.0000-1.0000 sec  91000 Bytes  728000 bits/sec   0.005 ms 0/65 (0%) 0.043/0.005/0.061/0.009 ms 323 pps 65/0(0) pkts 2103
[  4] 0.0000-1.0000 sec T8-PDF: bin(w=500us):cnt(65)=1:65 (5.00/95.00/99.7%=1/1/1,Outliers=0,obl/obu=0/0)
[  4] 1.0000-2.0000 sec  0.000 Bytes  0.000 bits/sec   0.000 ms 0/0 (0%) -/-/-/- ms 0 pps
[  4] 1.0000-2.0000 sec T8-PDF: bin(w=500us):cnt(0) (5.00/95.00/99.7%=0/4000/4000,Outliers=0,obl/obu=0/0)
[  4] 0.0000-7.8770 sec  91000 Bytes  92421 bits/sec   0.005 ms 0/65 (0%) 0.043/0.005/0.061/0.009 ms 8 pps 65/0(0) pkts 267
[  4] 0.0000-7.8770 sec T8(f)-PDF: bin(w=500us):cnt(65)=1:65 (5.00/95.00/99.7%=1/1/1,Outliers=0,obl/obu=0/0)
"""

# A flow whose first 24 datagrams this server has not seen, in packets of 1400 bytes.
MISSED = """\
[  1] 0.0000-1.0000 sec  14000 Bytes  112000 bits/sec   0.005 ms 24/34 (71%) 0.013/0.006/0.066/0.019 ms 12 pps 10/0(0) pkts 1111
[  1] 0.0000-1.0000 sec T8-PDF: bin(w=500us):cnt(10)=1:10 (5.00/95.00/99.7%=1/1/1,Outliers=0,obl/obu=0/0)
[  1] 1.0000-2.0000 sec  14000 Bytes  112000 bits/sec   0.003 ms 0/10 (0%) 0.007/0.005/0.008/0.001 ms 10 pps 10/0(0) pkts 2121
[  1] 1.0000-2.0000 sec T8-PDF: bin(w=500us):cnt(10)=1:10 (5.00/95.00/99.7%=1/1/1,Outliers=0,obl/obu=0/0)
[  1] 0.0000-2.3355 sec  35000 Bytes  119887 bits/sec   0.002 ms 24/49 (49%) 0.009/0.002/0.066/0.012 ms 11 pps 25/0(0) pkts 1703
[  1] 0.0000-2.3355 sec T8(f)-PDF: bin(w=500us):cnt(25)=1:25 (5.00/95.00/99.7%=1/1/1,Outliers=0,obl/obu=0/0)
"""

CLIENT = """\
[  1] local 10.0.0.1%h1-eth0 port 6001 connected with 10.0.0.2 port 5001 (epoch-start) (no-udp-fin)
[  1] Client traffic to start in 1 seconds at 2026-11-23 06:42:25
[ ID] Interval            Transfer     Bandwidth      Write/Err  PPS
[  1] 0.0000-2.5202 sec  317800 Bytes  1008795 bits/sec  226/0       90 pps
[  1] Sent 228 datagrams
"""


TCP = """\
[  1] local 10.0.0.2 port 5101 connected with 10.0.0.1 port 6001 (sock=4) (peer 2.1.8) (icwnd/mss)
[ ID] Interval            Transfer    Bandwidth       Reads=Dist
[  1] 0.0000-1.0000 sec  49060 Bytes  392480 bits/sec  99=99:0:0:0:0:0:0:0
[  1] 1.0000-2.0000 sec  49200 Bytes  392000 bits/sec  98=98:0:0:0:0:0:0:0
[  1] 2.0000-2.5631 sec  26800 Bytes  383568 bits/sec  54=54:0:0:0:0:0:0:0
[  1] 0.0000-2.5631 sec  125060 Bytes  390335 bits/sec  251=251:0:0:0:0:0:0:0
"""


def measure(output: str, meter: FlowMeter | None = None) -> tuple[FlowMeter, list[Interval]]:
    meter = meter or FlowMeter(1400)
    lines = [parse_server_line(line) for line in output.splitlines()]
    intervals = [meter.feed(line) for line in lines if isinstance(line, Counts | Histogram)]
    return meter, [interval for interval in intervals if interval is not None]


def counts_by(intervals: Sequence[Interval]) -> list[tuple[int, int]]:
    return [(interval.packets, interval.lost_packets) for interval in intervals]


@pytest.mark.parametrize("line", HEADINGS.splitlines())
def test_headings_sums_and_remarks_say_nothing(line: str) -> None:
    assert parse_server_line(line) is None


def test_a_flow_is_known_by_its_client_address_and_port() -> None:
    assert parse_server_line(CONNECTED) == Connected(flow=5, source=("10.0.0.1", 6006))


def test_the_last_interval_is_the_total_less_those_before() -> None:
    meter, intervals = measure(FREE)
    assert counts_by(intervals) == [(91, 0), (89, 0), (47, 0)]
    assert [(i.start_s, i.end_s) for i in intervals] == [(0, 1), (1, 2), (2, 2.5202)]
    assert [dict(i.latency_counts) for i in intervals] == [{0: 91}, {0: 89}, {0: 47}]
    assert intervals[0].latency_mean_ms == 0.031
    assert meter.is_over


def test_loss_and_delay_at_a_bottleneck() -> None:
    _, intervals = measure(CONGESTED)
    assert counts_by(intervals) == [(141, 11), (113, 65), (21, 10)]
    assert intervals[1].latency_mean_ms == 158.53
    assert intervals[2].latency_counts == ((157, 4), (158, 12), (159, 5))


def test_what_a_timed_out_read_adds_to_the_delays_is_taken_out() -> None:
    _, (interval,) = measure(SPARSE)
    assert interval.packets == 1
    assert interval.latency_counts == ((0, 1),)
    assert interval.latency_mean_ms < 1


def test_what_is_numbered_before_the_first_packet_seen_is_lost() -> None:
    _, intervals = measure(MISSED)
    assert counts_by(intervals) == [(10, 24), (10, 0), (5, 0)]


def test_another_server_goes_on_with_the_numbers() -> None:
    before = "\n".join(SPARSE.splitlines()[:2])
    first, _ = measure(before)
    second, intervals = measure(MISSED, first.at_new_server())
    assert counts_by(intervals) == [(10, 23), (10, 0), (5, 0)]
    assert second.is_over


@pytest.mark.parametrize("payload_bytes", [128, 1400])
def test_a_block_looks_like_the_payload_of_an_ordinary_client(payload_bytes: int) -> None:
    made = block(payload_bytes, 0x6B04A566 + 0.25)
    assert len(made) == payload_bytes - 16
    # As captured from iperf 2.1.8 with --trip-times --no-udp-fin: offsets within the payload.
    assert made[48 - 16 : 50 - 16] == bytes.fromhex("0018")
    assert made[112 - 16 : 120 - 16] == bytes.fromhex("6b04a566") + (250_000).to_bytes(4, "big")
    assert made[:4] == bytes.fromhex("68000000")  # and a length, for TCP servers only


def test_a_connection_is_counted_in_whole_writes() -> None:
    meter, lines = StreamMeter(500), [parse_server_line(line) for line in TCP.splitlines()]
    assert lines[:2] == [Connected(1, ("10.0.0.1", 6001)), None]
    intervals = [meter.feed(line) for line in lines if isinstance(line, Delivery)]
    assert meter.is_over
    assert intervals.pop() is None
    assert [(i.start_s, i.end_s, i.packets) for i in intervals if i] == [
        (0.0, 1.0, 98),
        (1.0, 2.0, 98),
        (2.0, 2.5631, 54),
    ]


def test_silence_makes_no_intervals() -> None:
    meter, intervals = measure(CUT)
    assert counts_by(intervals) == [(65, 0)]
    assert meter.is_over


def test_delays_beyond_the_histogram_are_counted_in_a_bin_after_the_last() -> None:
    line = parse_server_line(
        "[  1] 0.0000-1.0000 sec T8-PDF: bin(w=500us):cnt(3)=4:2 "
        "(5.00/95.00/99.7%=1/1/1,Outliers=0,obl/obu=0/1)"
    )
    assert isinstance(line, Histogram)
    assert line.counts == {3: 2, LATENCY_BINS: 1}


def test_what_a_client_sent() -> None:
    assert parse_sent_payload_bytes(CLIENT) == 317800
    assert parse_sent_payload_bytes("write failed: Network is unreachable\n") is None


@given(rate_bps=st.floats(100, 1e8))
def test_packets_get_smaller_before_they_get_rare(rate_bps: float) -> None:
    payload_bytes = suitable_payload_bytes(rate_bps)
    assert 128 <= payload_bytes <= 1400
    packets_per_s = rate_bps / 8 / (payload_bytes + FRAME_OVERHEAD_BYTES)
    assert packets_per_s >= 3.9 or payload_bytes == 128


def test_a_client_command() -> None:
    target = ("10.0.0.2", 5001)
    argv = client_argv(("10.0.0.1", 6001), target, 700, 5e6, 1795416144.567109, 63.2)
    assert argv.index("-I") > argv.index("-c")
    argv.remove("-I")
    options = dict(zip(argv[7::2], argv[8::2], strict=True))
    assert options == {
        "-c": "10.0.0.2",
        "-p": "5001",
        "-B": "10.0.0.1:6001",
        "-l": "700",
        "-b": "20000000",
        "-t": "63",
        "--txstart-time": "1795416144.567109",
    }

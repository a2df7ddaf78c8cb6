"""Pings with the kernel's receive time stamps, so that a late reader is not taken for a late link.

The time of sending is taken just before the system call: what a plain veth pair shows is the error
that is left. See icmp(7) and SO_TIMESTAMPNS in Documentation/networking/timestamping.rst.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import time
from collections.abc import Sequence

_SO_TIMESTAMPNS = 35
_ECHO_REQUEST, _ECHO_REPLY = 8, 0
_IDENTIFIER = 0x7462
_IPV4_HEADER_BYTES = 20
_HEADERS_BYTES = 14 + _IPV4_HEADER_BYTES + 8
_LARGEST_SEQUENCE = 0xFFFF
_SEED = 1


def ping(
    addresses: Sequence[str],
    count: int,
    spacing_s: float,
    frame_bytes: int = 98,
    wait_s: float = 1.0,
) -> list[list[float | None]]:
    """Ping every address `count` times, in turns; round trip times in ms, None where lost.

    The pings to an address are `spacing_s` apart on average, as a Poisson process (RFC 2330,
    11.1.1): at an even pace, those over a link whose delay is a multiple of it would always be
    sent while a reply comes in, and show what that costs instead of the link.

    A ping is an Ethernet frame of `frame_bytes`, without FCS, and so is its reply. `wait_s` is how
    long to wait for the last one. At most 65,535 pings in all.
    """
    payload = bytes(frame_bytes - _HEADERS_BYTES)
    total = count * len(addresses)
    assert total <= _LARGEST_SEQUENCE
    sent_ns = [0] * total
    rtt_ms: list[float | None] = [None] * total
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp:
        icmp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        icmp.setblocking(False)
        draw, due_s = random.Random(_SEED), time.monotonic()
        for number in range(total):
            _collect(icmp, due_s, sent_ns, rtt_ms)
            due_s += draw.expovariate(len(addresses) / spacing_s)
            request = _echo_request(number, payload)
            sent_ns[number] = time.time_ns()
            icmp.sendto(request, (addresses[number % len(addresses)], 0))
        _collect(icmp, time.monotonic() + wait_s, sent_ns, rtt_ms)
    return [rtt_ms[turn :: len(addresses)] for turn in range(len(addresses))]


def _collect(
    icmp: socket.socket, until_s: float, sent_ns: Sequence[int], rtt_ms: list[float | None]
) -> None:
    """Take in replies until `until_s` (CLOCK_MONOTONIC), or until every ping has its own."""
    while (left_s := until_s - time.monotonic()) > 0:
        if sent_ns[-1] and None not in rtt_ms:
            return
        if not select.select([icmp], [], [], left_s)[0]:
            return
        packet, ancillary, _, _ = icmp.recvmsg(2048, 64)
        number = reply_number(packet)
        if number is not None and number < len(rtt_ms) and ancillary:
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
            received_ns = seconds * 1_000_000_000 + nanoseconds
            rtt_ms[number] = (received_ns - sent_ns[number]) / 1e6


def _echo_request(number: int, payload: bytes) -> bytes:
    def packet(checksum: int) -> bytes:
        return struct.pack("!BBHHH", _ECHO_REQUEST, 0, checksum, _IDENTIFIER, number) + payload

    return packet(internet_checksum(packet(0)))


def reply_number(packet: bytes) -> int | None:
    """The sequence number of one of our echo replies, given with its IPv4 header."""
    if len(packet) < _IPV4_HEADER_BYTES + 8:
        return None
    kind, _, _, identifier, number = struct.unpack_from("!BBHHH", packet, _IPV4_HEADER_BYTES)
    return int(number) if (kind, identifier) == (_ECHO_REPLY, _IDENTIFIER) else None


def internet_checksum(data: bytes) -> int:
    """One's complement of the one's complement sum of 16-bit words (RFC 1071)."""
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total

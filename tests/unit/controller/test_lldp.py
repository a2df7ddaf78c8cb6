"""Probe frames: what the standard asks of them, and what is not taken for one."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from controller.lldp import is_lldp, probe_frame, token_of

TOKEN = b"12345678"
FRAME = probe_frame(7, 3, TOKEN)


def test_a_probe_is_lldp_with_its_port_and_its_token() -> None:
    assert is_lldp(FRAME)
    assert token_of(FRAME) == TOKEN
    # IEEE 802.1AB, 8.2: chassis, port and time to live come first, in this order.
    kinds, rest = [], FRAME[14:]
    while rest:
        (head,) = struct.unpack_from("!H", rest)
        kinds.append(head >> 9)
        rest = rest[2 + (head & 0x1FF) :]
    assert kinds == [1, 2, 3, 127, 0]
    assert b"dpid:0000000000000007" in FRAME


@given(st.binary(max_size=80))
def test_nothing_else_is_taken_for_a_probe(noise: bytes) -> None:
    assert token_of(noise) is None
    assert token_of(FRAME[:14] + noise) != TOKEN


@given(st.integers(0, len(FRAME) - 1))
def test_a_cut_frame_gives_no_whole_token(length: int) -> None:
    assert token_of(FRAME[:length]) != TOKEN or length >= len(FRAME) - 2

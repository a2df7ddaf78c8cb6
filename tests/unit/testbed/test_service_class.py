"""The class of a frame, from the bytes that stand on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.links.service_class import BEST_EFFORT, EXPEDITED, NETWORK_CONTROL, class_of

UNICAST = bytes.fromhex("020000000001 020000000002")
VLAN, PROVIDER_VLAN = bytes.fromhex("8100 0064"), bytes.fromhex("88a8 0065")

CLASSES = [
    (56, NETWORK_CONTROL),
    (48, NETWORK_CONTROL),
    (46, EXPEDITED),
    (40, EXPEDITED),
    (34, BEST_EFFORT),  # AF41
    (8, BEST_EFFORT),
    (0, BEST_EFFORT),
]


def ipv4(dscp: int, ecn: int = 0) -> bytes:
    return bytes.fromhex("0800 45") + bytes([dscp << 2 | ecn]) + bytes(40)


def ipv6(dscp: int, ecn: int = 0) -> bytes:
    first_word = 6 << 28 | (dscp << 2 | ecn) << 20 | 0xABCDE
    return bytes.fromhex("86dd") + first_word.to_bytes(4, "big") + bytes(40)


@pytest.mark.parametrize(("dscp", "service_class"), CLASSES)
@pytest.mark.parametrize("tags", [b"", VLAN, PROVIDER_VLAN + VLAN])
def test_packets_are_told_by_dscp_behind_any_tag(
    dscp: int, service_class: int, tags: bytes
) -> None:
    for ecn in range(4):
        for packet in (ipv4(dscp, ecn), ipv6(dscp, ecn)):
            assert class_of(UNICAST + tags + packet) == service_class


@pytest.mark.parametrize(
    ("frame", "service_class"),
    [
        ("0180c2000000 020000000002 0026 424203", NETWORK_CONTROL),  # STP
        ("0180c2000002 020000000002 8809", NETWORK_CONTROL),  # LACP
        ("0180c200000e 020000000002 88cc", NETWORK_CONTROL),
        ("012320000001 020000000002 88cc", NETWORK_CONTROL),  # LLDP where bridges let it through
        ("0180c2000010 020000000002 0026 424203", BEST_EFFORT),  # no reserved address
        ("ffffffffffff 020000000002 0806", BEST_EFFORT),  # ARP
        ("020000000001 020000000002 0800", BEST_EFFORT),  # cut off
        ("020000000001 020000000002 8100", BEST_EFFORT),
    ],
)
def test_other_frames(frame: str, service_class: int) -> None:
    assert class_of(bytes.fromhex(frame)) == service_class


@given(st.binary(max_size=40))
def test_no_frame_is_too_odd(frame: bytes) -> None:
    assert class_of(frame) in (NETWORK_CONTROL, EXPEDITED, BEST_EFFORT)

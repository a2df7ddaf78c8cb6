"""Probes of links: LLDP frames (IEEE 802.1AB) that name the port they left by.

Each carries a token that nobody can guess, so a frame that somebody forges or sends again is not
taken for a probe.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

ETH_TYPE_LLDP = 0x88CC
_MULTICAST = bytes.fromhex("0180c200000e")
LLDP_MULTICAST = _MULTICAST.hex(":")
"""The nearest bridge: no bridge forwards what is sent to it."""

TOKEN_BYTES = 8

_SOURCE = bytes.fromhex("0a7477000000")  # locally administered
_HEADER = struct.Struct("!6s6sH")
_CHASSIS_ID, _PORT_ID, _TTL, _OWN = 1, 2, 3, 127
_LOCALLY_ASSIGNED = b"\x07"
_TTL_S = 3
_OWN_PREFIX = bytes.fromhex("0a747701")  # a local organisation, and its subtype 1
_TYPE_SHIFT = 9
_LENGTH_MASK = (1 << _TYPE_SHIFT) - 1


def probe_frame(datapath_id: int, port: int, token: bytes) -> bytes:
    """The frame that leaves the switch `datapath_id` by `port`."""
    header = _HEADER.pack(_MULTICAST, _SOURCE, ETH_TYPE_LLDP)
    return header + b"".join(
        (
            _tlv(_CHASSIS_ID, _LOCALLY_ASSIGNED + f"dpid:{datapath_id:016x}".encode()),
            _tlv(_PORT_ID, _LOCALLY_ASSIGNED + str(port).encode()),
            _tlv(_TTL, struct.pack("!H", _TTL_S)),
            _tlv(_OWN, _OWN_PREFIX + token),
            _tlv(0, b""),
        )
    )


def is_lldp(frame: bytes) -> bool:
    """Whether a frame claims to be one."""
    return len(frame) >= _HEADER.size and _HEADER.unpack_from(frame)[2] == ETH_TYPE_LLDP


def token_of(frame: bytes) -> bytes | None:
    """The token of a probe; None for any other frame, however malformed."""
    if not is_lldp(frame):
        return None
    for kind, value in _tlvs(frame[_HEADER.size :]):
        if kind == _OWN and value.startswith(_OWN_PREFIX):
            return value[len(_OWN_PREFIX) :]
    return None


def _tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!H", kind << _TYPE_SHIFT | len(value)) + value


def _tlvs(rest: bytes) -> Iterator[tuple[int, bytes]]:
    while len(rest) >= 2:
        (head,) = struct.unpack_from("!H", rest)
        kind, end = head >> _TYPE_SHIFT, 2 + (head & _LENGTH_MASK)
        if kind == 0:
            return
        yield kind, rest[2:end]
        rest = rest[end:]

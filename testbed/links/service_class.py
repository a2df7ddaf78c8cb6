"""Which frames go first where a link queues by priority: DiffServ, as routers have it by default.

Network control is CS6 and CS7 (RFC 4594), what bridges say to each other (STP, LACP: the reserved
addresses of IEEE 802.1Q, table 8-1) and LLDP. Expedited is EF (RFC 3246) and CS5. All else, ARP
too, is best effort. VLAN tags are looked through.
"""

from __future__ import annotations

from collections.abc import Mapping

NETWORK_CONTROL, EXPEDITED, BEST_EFFORT = CLASSES = range(3)
"""First the class that goes first."""

CLASS_OF_DSCP: Mapping[int, int] = {
    56: NETWORK_CONTROL,  # CS7
    48: NETWORK_CONTROL,  # CS6: routing protocols, and the BFD packets of Open vSwitch
    46: EXPEDITED,  # EF
    40: EXPEDITED,  # CS5
}
"""All others are best effort."""

_CLASS_OF_TOS = bytes(CLASS_OF_DSCP.get(tos >> 2, BEST_EFFORT) for tos in range(256))
_RESERVED_ADDRESS, _RESERVED_LAST = b"\x01\x80\xc2\x00\x00", 0x0F
_IPV4, _IPV6, _LLDP = b"\x08\x00", b"\x86\xdd", b"\x88\xcc"
_VLAN = (b"\x81\x00", b"\x88\xa8")


def class_of(frame: bytes) -> int:
    """The service class of an Ethernet frame, by a look at fixed offsets."""
    at = 12
    while (ether_type := frame[at : at + 2]) in _VLAN:
        at += 4
    try:
        if ether_type == _IPV4:
            return _CLASS_OF_TOS[frame[at + 3]]
        if ether_type == _IPV6:
            return _CLASS_OF_TOS[(frame[at + 2] & 0x0F) << 4 | frame[at + 3] >> 4]
        to_bridges = frame[:5] == _RESERVED_ADDRESS and frame[5] <= _RESERVED_LAST
    except IndexError:
        return BEST_EFFORT  # cut off
    return NETWORK_CONTROL if to_bridges or ether_type == _LLDP else BEST_EFFORT

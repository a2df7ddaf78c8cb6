"""Proxy ARP: the controller answers for every host, so no switch ever has to flood (RFC 826)."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

from topologies.addressing import Addressing

_FRAME = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_ETH_TYPE_ARP = 0x0806
_ETHERNET = 1
_ETH_TYPE_IPV4 = 0x0800
_REQUEST, _REPLY = 1, 2
_HEADER = (_ETHERNET, _ETH_TYPE_IPV4, 6, 4)


def arp_answer(addressing: Addressing, asking: str, frame: bytes) -> bytes | None:
    """The reply to an ARP request that the host `asking` sent; None where none is due.

    None is due to anything but a well-formed request for another host of the topology: unknown
    addresses stay unanswered, and so do probes for the asking host's own address (RFC 5227).
    """
    if len(frame) < _FRAME.size:
        return None
    _, _, eth_type, *header, operation, sender_mac, sender_ip, _, target_ip = _FRAME.unpack_from(
        frame
    )
    if eth_type != _ETH_TYPE_ARP or tuple(header) != _HEADER or operation != _REQUEST:
        return None
    target = addressing.host_of_ipv4.get(str(IPv4Address(target_ip)))
    if target is None or target == asking:
        return None
    mac = bytes.fromhex(addressing.mac[target].replace(":", ""))
    return _FRAME.pack(
        sender_mac, mac, _ETH_TYPE_ARP, *_HEADER, _REPLY, mac, target_ip, sender_mac, sender_ip
    )

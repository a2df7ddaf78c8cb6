"""Proxy ARP: the controller answers for every host, so no switch ever has to flood (RFC 826)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

from topologies.addressing import Addressing

_FRAME = struct.Struct("!6s6sHHHBBH6s4s6s4s")
_ETH_TYPE_ARP = 0x0806
_ETHERNET = 1
_ETH_TYPE_IPV4 = 0x0800
_REQUEST, _REPLY = 1, 2
_NOBODY = "0.0.0.0"
_HEADER = (_ETHERNET, _ETH_TYPE_IPV4, 6, 4)


@dataclass(frozen=True)
class Claim:
    """Who the sender of an ARP frame says that it is."""

    mac: str
    ipv4: str


def forged_claim(addressing: Addressing, sender: str, frame: bytes) -> Claim | None:
    """What an ARP frame that came from the host `sender` claims, if that is not true of it.

    A probe (RFC 5227) claims no IPv4 address.
    """
    if len(frame) < _FRAME.size:
        return None
    _, eth_source, eth_type, *header, _, sender_mac, sender_ip, _, _ = _FRAME.unpack_from(frame)
    if eth_type != _ETH_TYPE_ARP or tuple(header) != _HEADER:
        return None
    true_mac = _packed(addressing.mac[sender])
    wrong = next((mac for mac in (sender_mac, eth_source) if mac != true_mac), None)
    ipv4 = str(IPv4Address(sender_ip))
    if wrong is None and ipv4 in (addressing.ipv4[sender], _NOBODY):
        return None
    return Claim((wrong or true_mac).hex(":"), ipv4)


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
    mac = _packed(addressing.mac[target])
    return _FRAME.pack(
        sender_mac, mac, _ETH_TYPE_ARP, *_HEADER, _REPLY, mac, target_ip, sender_mac, sender_ip
    )


def _packed(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))

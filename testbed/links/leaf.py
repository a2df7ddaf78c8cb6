"""Where the frames of a kernel link wait, in the words of tc(8): the leaf of HTB's one class.

One queue, or with strict priority a `prio` of one queue for each service class: the band of a frame
is its class (service_class.py). flower looks through a VLAN tag, whether the tag is in the frame or
beside it, and into tunnels: of IP in IP it takes the inner header's class.

See tc-prio(8), tc-flower(8), tc-pfifo(8).
"""

from __future__ import annotations

from collections.abc import Iterator

from testbed.links.service_class import BEST_EFFORT, CLASS_OF_DSCP, CLASSES, NETWORK_CONTROL
from topologies.model import LinkShape

_PRIOMAP = " ".join([str(BEST_EFFORT)] * 16)
"""Whatever a socket's priority (SO_PRIORITY) was: no switch would know of it."""
_PACKETS = (
    "protocol ip pref 1 flower",
    "protocol ipv6 pref 2 flower",
    "protocol 802.1Q pref 3 flower vlan_ethtype ip",
    "protocol 802.1Q pref 4 flower vlan_ethtype ipv6",
)
_LLDP = "protocol 0x88cc pref 5 matchall"
_TO_BRIDGES = "protocol all pref 6 flower dst_mac 01:80:c2:00:00:00/ff:ff:ff:ff:ff:f0"


def leaf(device: str, shape: LinkShape) -> Iterator[str]:
    """Commands of tc that make the queue or queues of a transmitter."""
    if shape.queueing == "priority":
        yield f"qdisc add dev {device} parent 1:1 handle 2: prio bands 3 priomap {_PRIOMAP}"
        yield from _filters(device)
    for queue in _queues(device, shape):
        yield f"qdisc add {queue}"


def changed_leaf(device: str, shape: LinkShape) -> Iterator[str]:
    """Commands of tc that change the bounds of these queues."""
    for queue in _queues(device, shape):
        yield f"qdisc change {queue}"


def _queues(device: str, shape: LinkShape) -> Iterator[str]:
    kind, limit = "pfifo", shape.queue_packets
    if shape.queue_bytes is not None:
        kind, limit = "bfifo", shape.queue_bytes
    if shape.queueing == "fifo":
        yield f"dev {device} parent 1:1 handle 2: {kind} limit {limit}"
        return
    for service_class in CLASSES:
        band = service_class + 1
        yield f"dev {device} parent 2:{band} handle 2{band}: {kind} limit {limit}"


def _filters(device: str) -> Iterator[str]:
    add = f"filter add dev {device} parent 2:"
    for packets in _PACKETS:
        for dscp, service_class in CLASS_OF_DSCP.items():
            yield f"{add} {packets} ip_tos {dscp << 2:#x}/0xfc classid 2:{service_class + 1}"
    for control in (_LLDP, _TO_BRIDGES):
        yield f"{add} {control} classid 2:{NETWORK_CONTROL + 1}"

"""Path labels: destination MAC addresses that stand for one route of one OD pair.

A route's packets carry its label as destination address between the ingress and the egress
switch, which gives them back the host's own address. A label is never used twice, so a packet
follows either the old path or the new one, whole ("shadow MACs": Agarwal, Dixon, Rozner and
Carter, "Shadow MACs: Scalable Label-switching for Commodity Ethernet", HotSDN 2014).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import count

_SERIAL_BITS = 24
_EPOCH_BITS = 16


def _epoch_now() -> int:
    return int(time.time()) % (1 << _EPOCH_BITS)


@dataclass(frozen=True)
class Labels:
    """A source of fresh labels: whole numbers of 40 bits.

    The epoch keeps those of a restarted controller apart from those of the one before it, unless
    that one started in the same second; hence `taken`.
    """

    epoch: int = field(default_factory=_epoch_now)
    taken: set[int] = field(default_factory=set)
    """Labels found on the switches, never handed out."""
    _serials: count[int] = field(default_factory=lambda: count(1), repr=False)

    def made(self, label: int) -> bool:
        """Whether this source may have handed out `label`, and no earlier one has."""
        return label >> _SERIAL_BITS == self.epoch and label not in self.taken

    def fresh(self) -> int:
        """A label that was not handed out before."""
        labels = (self.epoch << _SERIAL_BITS | n % (1 << _SERIAL_BITS) for n in self._serials)
        return next(label for label in labels if label not in self.taken)


def label_mac(label: int) -> str:
    """The label as a locally administered unicast address, apart from those of the hosts."""
    return "06:" + label.to_bytes(5, "big").hex(":")


def label_of(mac: str | None) -> int:
    """The label that this address stands for; 0, which is no label, if it is none."""
    prefix, _, label = (mac or "").partition(":")
    return int(label.replace(":", ""), 16) if prefix == "06" else 0

"""Strict priority by service class, not preemptive: who goes first, what is left for others.

Every class waits in a queue of its own. What goes ahead of it takes its share of the link, so it
meets a slower one; and it waits for the frame in transmission, whosever that is. With Poisson
arrivals and room enough this is A. Cobham, "Priority assignment in waiting line problems",
Operations Research 2, 1954.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from testbed.links.service_class import BEST_EFFORT, CLASS_OF_DSCP
from topologies.model import OdPair, Topology
from topologies.policies import Traffic, deciding
from twin.indexing import BoolArray, FloatArray, Indexing
from twin.onset import Filling, filling
from twin.queueing import Variance, loss_fraction, waiting_deviation, waiting_packets

_REPLAYED = Traffic("udp")
_FULL = 0.999  # share of a link beyond which nothing is left for those behind


@dataclass(frozen=True)
class ClassQueues:
    """What each class meets at each link. Arrays are (classes, cases, links)."""

    load: FloatArray
    """Of its own queue: what comes over what is left for it."""
    left: float | FloatArray = 1.0
    """Share of the link that those ahead leave."""
    ahead: float | FloatArray = 0.0
    """Share of the link that they take."""
    behind: float | FloatArray = 0.0
    """Share of the time that the link is busy with lower classes."""
    instants: FloatArray | None = None
    """(instants, links) after queues were empty, in transmission times; None: for ever after."""

    def waiting_packets(self, variance: Variance, room: FloatArray) -> FloatArray:
        """Mean wait, in transmission times of a packet; arguments as in queueing.py."""
        own = waiting_packets(self.load, variance, room)
        if (filling := self._filling(variance, room)) is not None:
            own = own * filling.waiting
        own = own / self.left
        return np.asarray(np.minimum(own + self._for_others(variance), room / self.left))

    def waiting_deviation(self, variance: Variance, room: FloatArray) -> FloatArray:
        """Standard deviation of the wait."""
        own = waiting_deviation(self.load, variance, room)
        if (filling := self._filling(variance, room)) is not None:
            growing = waiting_packets(self.load, variance, room) * filling.spread
            own = np.hypot(own * filling.waiting, growing)
        own = own / self.left
        others = np.minimum(self._for_others(variance), room / self.left)
        return np.asarray(np.hypot(own, others))

    def loss(self, variance: Variance, room: FloatArray) -> FloatArray:
        """Share of the packets that find their queue full."""
        lost = loss_fraction(self.load, variance, room)
        filling = self._filling(variance, room)
        return lost if filling is None else np.asarray(lost * filling.filled)

    def _filling(self, variance: Variance, room: FloatArray) -> Filling | None:
        if self.instants is None:
            return None
        stationary = waiting_packets(self.load, variance, room)
        return filling(stationary, self.load, variance, self.instants, self.left)

    def _for_others(self, variance: Variance) -> float | FloatArray:
        """The wait for what other classes have in transmission, and for what comes meanwhile.

        Behind a lower class it is half a packet, however smooth its arrivals are.
        """
        in_transmission = (variance * self.ahead + self.behind) / 2
        return in_transmission / (self.left**2 * np.maximum(1 - self.load, 1 - _FULL))


class Priorities:
    """The service classes that the pairs of a network have, and the links that heed them."""

    def __init__(self, indexing: Indexing) -> None:
        topology = indexing.topology
        shapes = [topology.link_between[link].shape for link in indexing.directions]
        self._heeded: BoolArray = np.array([shape.queueing == "priority" for shape in shapes])
        of_pair = np.full(len(indexing.pairs), BEST_EFFORT)
        if self._heeded.any():
            of_pair[:] = [_class_of(topology, pair) for pair in indexing.pairs]
        self._members = [of_pair == one for one in np.unique(of_pair)]
        """Of each class that there is, first the one that goes first: (pairs,) who is in it."""

    @property
    def classes(self) -> int:
        """How many there are."""
        return max(len(self._members), 1)

    def split(self, sent_bps: FloatArray) -> FloatArray:
        """(classes, cases, pairs) what each class sends, of all that is sent (cases, pairs)."""
        if self.classes == 1:
            return sent_bps[None]
        return np.array([np.where(members, sent_bps, 0.0) for members in self._members])

    def of_pairs(self, values: Sequence[FloatArray]) -> FloatArray:
        """(cases, pairs) for each pair the value of its class; `values` are those of each class."""
        return np.asarray(np.select(self._members, values)) if len(values) > 1 else values[0]

    def queues(self, load: FloatArray, instants: FloatArray | None = None) -> ClassQueues:
        """What each class meets, from the load that it offers (classes, cases, links).

        For `instants` see `ClassQueues`.
        """
        if len(load) == 1:
            return ClassQueues(load, instants=instants)
        total = load.sum(axis=0)
        ahead = np.where(self._heeded, np.minimum(np.cumsum(load, axis=0) - load, _FULL), 0.0)
        mine = np.where(self._heeded, load, total)
        left = 1 - ahead
        behind = np.clip(np.minimum(total, 1.0) - ahead - mine, 0.0, left)
        return ClassQueues(mine / left, left, ahead, behind, instants)


def _class_of(topology: Topology, pair: OdPair) -> int:
    """Of what is replayed from host to host; what hosts mark by themselves is not known."""
    policy = deciding(topology, pair, _REPLAYED)
    if policy is None or policy.dscp is None:
        return BEST_EFFORT
    return CLASS_OF_DSCP.get(policy.dscp, BEST_EFFORT)

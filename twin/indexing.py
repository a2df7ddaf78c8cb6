"""A topology as array indices: how names, routes and matrices become NumPy arrays.

Links are numbered by direction: the core directions first, in the order of
`Topology.core_directions`, then the access directions. Pairs follow `Topology.od_pairs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from topologies.model import DirectedLink, LinkShape, OdPair, Path, Topology, Ways
from topologies.policies import deciding, kinds_of_traffic
from topologies.splits import shares_of

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

FRAME_BITS = 1442 * 8.0
"""A replayed frame: 1400 bytes of UDP payload and its headers."""


@dataclass(frozen=True)
class Branches:
    """The paths of a routing as arrays, in the order of the pairs: one each, or several."""

    pair: IntArray
    """(branches,) the pair each belongs to."""
    share: FloatArray
    """(branches,) of what the pair sends."""
    hops: IntArray
    """(branches, longest) links in order, filled up with `len(Indexing.directions)`."""


class Indexing:
    """The order of every array of the twin, and the constants of the topology in that order."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        access = tuple(d for link in topology.access_links for d in link.directions)
        self.directions: tuple[DirectedLink, ...] = topology.core_directions + access
        self.cores = len(topology.core_directions)
        self.pairs = topology.od_pairs
        self.link: Mapping[DirectedLink, int] = {d: i for i, d in enumerate(self.directions)}
        self.pair: Mapping[OdPair, int] = {p: i for i, p in enumerate(self.pairs)}
        host = {h.name: i for i, h in enumerate(topology.hosts)}
        self.source: IntArray = np.array([host[s] for s, _ in self.pairs], dtype=np.int64)
        """Host index of the origin of each pair."""
        self.target: IntArray = np.array([host[t] for _, t in self.pairs], dtype=np.int64)
        """Host index of the destination of each pair."""
        shapes = [topology.link_between[d].shape for d in self.directions]
        self.rate_bps: FloatArray = np.array([s.rate_bps for s in shapes])
        self.delay_ms: FloatArray = np.array([s.delay_ms for s in shapes])
        self.queue_packets: FloatArray = np.array([_queue_packets(s) for s in shapes])
        """How many replayed frames may wait at each link."""
        self.loss: FloatArray = np.array([s.loss_percent / 100 for s in shapes])

    def matrix(self, od: FloatArray) -> FloatArray:
        """Values per pair (..., pairs) as (..., hosts, hosts), zero on the diagonal."""
        hosts = len(self.topology.hosts)
        matrix = np.zeros((*od.shape[:-1], hosts, hosts))
        matrix[..., self.source, self.target] = od
        return matrix

    @cached_property
    def pairs_of_switch(self) -> Mapping[str, IntArray]:
        """The pairs that enter the network at each switch."""
        entry = [self.topology.switch_of[source] for source, _ in self.pairs]
        return {
            switch.name: np.array([i for i, at in enumerate(entry) if at == switch.name], dtype=int)
            for switch in self.topology.switches
        }

    @cached_property
    def policed(self) -> BoolArray:
        """(hosts,) whose packets policies may drop where they enter: by a denial, or a limit."""
        hosts = self.topology.hosts
        policed = np.zeros(len(hosts), dtype=bool)
        kinds = kinds_of_traffic(self.topology) if self.topology.policies else ()
        for index, pair in enumerate(self.pairs):
            found = (deciding(self.topology, pair, kind) for kind in kinds)
            if any(one is not None and (one.deny or one.limit is not None) for one in found):
                policed[self.source[index]] = True
        return policed

    def links_of(self, pair: OdPair, path: Path) -> list[int]:
        """Links that packets of `pair` cross on `path`, access links included, in order."""
        return [self.link[hop] for hop in pairwise((pair[0], *path, pair[1]))]

    def crossing(self, routing: Ways, loss: FloatArray | None = None) -> FloatArray:
        """(links, pairs) share of each pair's traffic that reaches a link: the routing matrix.

        `loss` (links,) is the share that is lost at each link; NaN counts as none.
        """
        kept = np.ones(len(self.directions)) if loss is None else 1 - np.nan_to_num(loss)
        crossing = np.zeros((len(self.directions), len(self.pairs)))
        for index, pair in enumerate(self.pairs):
            for path, share in shares_of(routing.get(pair, ())):
                if path:
                    links = self.links_of(pair, path)
                    crossing[links, index] += share * np.cumprod([1.0, *kept[links[:-1]]])
        return crossing

    def branches(self, routing: Ways) -> Branches:
        """Every path of every pair; a pair without a route gets one of nothing but the filler."""
        owners: list[int] = []
        shares: list[float] = []
        rows: list[list[int]] = []
        for index, pair in enumerate(self.pairs):
            for path, share in shares_of(routing.get(pair, ())):
                owners.append(index)
                shares.append(share)
                rows.append(self.links_of(pair, path) if path else [])
        table = np.full((len(rows), max(map(len, rows), default=0)), len(self.directions))
        for number, row in enumerate(rows):
            table[number, : len(row)] = row
        return Branches(np.array(owners, dtype=np.int64), np.array(shares), table)


def _queue_packets(shape: LinkShape) -> float:
    in_bytes = shape.queue_bytes
    return float(shape.queue_packets) if in_bytes is None else 8 * in_bytes / FRAME_BITS

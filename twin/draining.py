"""Moving traffic off links that will fail, while they still carry it.

The new paths are put in place before the old ones are left, so nothing is lost by it. Never where
that would cut somebody off or fill a link that is not full now; and where the others no longer
suffice, drained links are given back: one that loses a few percent is better than a full one.
"""

from __future__ import annotations

from dataclasses import replace

from topologies.model import DirectedLink, OdPair, Topology
from topologies.paths import path_directions, shortest_paths
from topologies.splits import paths_of
from twin.policy import Proposal
from twin.view import TwinView

_FULL = 0.95  # utilisation that draining may lead to, unless it is worse already
_RETRY_S = 2.0
_LENT_S = 30.0  # links that are given back are not drained again before that
_WORTH_LENDING = 0.02  # fall of the highest utilisation
_MOST_LINKS = 2  # more that fail at once point to the measurement, not to the links


class Drain:
    """The links that are kept empty, in both directions."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._drained: frozenset[DirectedLink] = frozenset()
        self._rest_until_s = float("-inf")
        self._connected: dict[frozenset[DirectedLink], frozenset[OdPair]] = {}
        """The pairs that have a path without these links."""

    def links(
        self, failing: frozenset[DirectedLink], down: frozenset[DirectedLink]
    ) -> frozenset[DirectedLink]:
        """Those still drained: none that is mended, none at all where a pair needs one."""
        self._drained &= both_ways(failing)
        if self._drained and not self._spares_all(self._drained, down):
            self._drained = frozenset()
        return self._drained

    def propose(self, failing: frozenset[DirectedLink], view: TwinView) -> Proposal | None:
        """Moves off the links that fail, or off drained ones that a restoration has used again."""
        links = {tuple(sorted(link)) for link in failing}
        if view.now_s < self._rest_until_s or len(links) > _MOST_LINKS:
            return None
        if self._drained and self._gives_relief(view):
            self._drained = frozenset()
            self._rest_until_s = view.now_s + _LENT_S
            return None
        for link in sorted(failing):
            drained = self._drained | both_ways(frozenset({link}))
            used = any(
                not drained.isdisjoint(path_directions(path))
                for way in view.routing.values()
                for path in paths_of(way)
            )
            if drained == self._drained and not used:
                continue
            self._rest_until_s = view.now_s + _RETRY_S
            if not self._spares_all(drained, view.down):
                continue
            moves = view.moves_off(drained)
            before, after = view.what_if({}), view.what_if(moves)
            if after.max_utilisation > max(before.max_utilisation, _FULL):
                continue
            self._drained = drained
            return Proposal(moves, "drain") if moves else None
        return None

    def _gives_relief(self, view: TwinView) -> bool:
        """Whether links are full for want of those that are drained."""
        if view.what_if({}).max_utilisation <= _FULL:
            return False
        self._rest_until_s = view.now_s + _RETRY_S
        without = view.best_moves().max_utilisation
        if without <= _FULL:
            return False
        with_all = replace(view, drained=frozenset()).best_moves().max_utilisation
        return with_all < without - _WORTH_LENDING

    def _spares_all(self, drained: frozenset[DirectedLink], down: frozenset[DirectedLink]) -> bool:
        """Whether whoever has a path has one without these links."""
        return self._with_path(down | drained) == self._with_path(down)

    def _with_path(self, without: frozenset[DirectedLink]) -> frozenset[OdPair]:
        if without not in self._connected:
            self._connected[without] = frozenset(shortest_paths(self._topology, down=without))
        return self._connected[without]


def both_ways(links: frozenset[DirectedLink]) -> frozenset[DirectedLink]:
    """Both directions of each."""
    return links | {(b, a) for a, b in links}

"""A routing as arrays: what happens along every pair's path, for many cases at once."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from topologies.model import Ways
from twin.indexing import BoolArray, FloatArray, Indexing


class RoutedPairs:
    """The links that every pair crosses, in order. `present` (pairs,) says which have a route.

    A split pair has several branches, each with its share of what the pair sends.
    """

    def __init__(self, indexing: Indexing, routing: Ways) -> None:
        self._branches = branches = indexing.branches(routing)
        hops, pairs = branches.hops, len(indexing.pairs)
        self._links = len(indexing.directions)
        self._hops = np.ascontiguousarray(hops.T)
        """(longest, branches)"""
        self.present: BoolArray = np.zeros(pairs, bool)
        self.present[branches.pair[(hops != self._links).any(axis=1)]] = True
        crossed = np.flatnonzero(hops.T.ravel() != self._links)
        self._to_links = sparse.csr_matrix(
            (np.ones(len(crossed)), (hops.T.ravel()[crossed], crossed)),
            shape=(self._links, hops.size),
        )
        """(links, longest x branches): which position of which path is which link."""
        branch = crossed % max(len(hops), 1)
        self._from_links = sparse.csr_matrix(
            (branches.share[branch], (branches.pair[branch], hops.T.ravel()[crossed])),
            shape=(pairs, self._links),
        )
        """(pairs, links): the share of the pair that crosses the link."""
        self._to_pairs = sparse.csr_matrix(
            (branches.share, (branches.pair, np.arange(len(hops)))), shape=(pairs, len(hops))
        )
        """(pairs, branches): the share of each branch of the pair."""

    def loads(self, sent_bps: FloatArray, loss: FloatArray) -> FloatArray:
        """(cases, links) what reaches each link.

        Args:
            sent_bps: (cases, pairs).
            loss: (cases, links) share lost at each link: a pair is thinned link by link.
        """
        arriving = (sent_bps[:, self._branches.pair] * self._branches.share).T
        kept = self._with_filler(1 - loss.T)
        positions = np.empty((*self._hops.shape, len(sent_bps)))
        for position, links in enumerate(self._hops):
            positions[position] = arriving
            arriving = arriving * kept[links]
        flat = positions.reshape(self._hops.size, len(sent_bps))
        return np.asarray((self._to_links @ flat).T)

    def sums(self, link_values: FloatArray) -> FloatArray:
        """(cases, pairs) sums of link values (cases, links) along the paths; NaN without one."""
        sums = (self._from_links @ link_values.T).T
        return np.asarray(np.where(self.present, sums, np.nan))

    def kept(self, loss: FloatArray) -> FloatArray:
        """(cases, pairs) share of the packets that arrive."""
        kept = self._with_filler(1 - loss.T)
        share = np.ones((self._hops.shape[1], len(loss)))
        for links in self._hops:
            share *= kept[links]
        return np.asarray((self._to_pairs @ share).T)

    def _with_filler(self, link_values: FloatArray) -> FloatArray:
        """(links + 1, cases): the filler changes nothing."""
        return np.vstack([link_values, np.ones((1, link_values.shape[1]))])

"""A routing as arrays: what happens along every pair's path, for many cases at once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from scipy import sparse

from topologies.model import Ways
from twin.indexing import BoolArray, FloatArray, Indexing, IntArray


class RoutedPairs:
    """The links that every pair crosses, in order. `present` (pairs,) says which have a route.

    A split pair has several branches, each with its share of what the pair sends.
    """

    def __init__(self, indexing: Indexing, routing: Ways) -> None:
        self._branches = branches = indexing.branches(routing)
        hops, pairs = branches.hops, len(indexing.pairs)
        self._links = len(indexing.directions)
        self._rates = indexing.rate_bps
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
        self.links: FloatArray = np.asarray(self._from_links.sum(axis=1)).ravel()
        """(pairs,) how many links each crosses."""
        self._to_pairs = sparse.csr_matrix(
            (branches.share, (branches.pair, np.arange(len(hops)))), shape=(pairs, len(hops))
        )
        """(pairs, branches): the share of each branch of the pair."""

    def loads(self, sent_bps: FloatArray, loss: FloatArray) -> FloatArray:
        """(cases, links) what reaches each link.

        Args:
            sent_bps: (cases, pairs).
            loss: (cases, links) share that does not go on at each link: a pair is thinned link by
                link.
        """
        arriving = (sent_bps[:, self._branches.pair] * self._branches.share).T
        kept = self._with_filler(1 - loss.T)
        positions = np.empty((*self._hops.shape, len(sent_bps)))
        for position, links in enumerate(self._hops):
            positions[position] = arriving
            arriving = arriving * kept[links]
        flat = positions.reshape(self._hops.size, len(sent_bps))
        return np.asarray((self._to_links @ flat).T)

    def concentration(self, sent_bps: FloatArray) -> FloatArray:
        """(cases, links) sum of the squared shares of a link's streams; 1 where nothing comes.

        Packets off a link no faster are one stream, since they are spaced already; each branch
        that comes off a faster one is a stream of its own.
        """
        streams = self._to_streams @ self._at_positions(sent_bps)  # (streams, cases)
        return _concentration(self._stream_links, streams)

    def pair_concentration(self, sent_bps: FloatArray) -> FloatArray:
        """The same of the pairs, wherever they come from; each branch of a pair counts alone."""
        return _concentration(self._to_links, self._at_positions(sent_bps))

    def _at_positions(self, sent_bps: FloatArray) -> FloatArray:
        """(longest x branches, cases) what would cross each position of every path without loss."""
        of_branch = (sent_bps[:, self._branches.pair] * self._branches.share).T
        return np.tile(of_branch, (len(self._hops), 1))

    @cached_property
    def _streams(self) -> tuple[IntArray, IntArray, IntArray]:
        """Of every crossed position: where it is, its stream, and of every stream its link."""
        flat = self._hops.ravel()
        crossed = np.flatnonzero(flat != self._links)
        branches = self._hops.shape[1]
        before = np.where(crossed >= branches, flat[crossed - branches], -1)
        slower = (before >= 0) & (self._rates[before] <= self._rates[flat[crossed]])
        own = self._links + crossed % max(branches, 1)
        origin = np.where(slower, before, own)
        code = flat[crossed] * (self._links + branches) + origin
        codes, stream = np.unique(code, return_inverse=True)
        return crossed, stream.ravel(), codes // (self._links + branches)

    @cached_property
    def _to_streams(self) -> sparse.csr_matrix:
        crossed, stream, link = self._streams
        shape = (len(link), self._hops.size)
        return sparse.csr_matrix((np.ones(len(crossed)), (stream, crossed)), shape=shape)

    @cached_property
    def _stream_links(self) -> sparse.csr_matrix:
        link = self._streams[2]
        shape = (self._links, len(link))
        return sparse.csr_matrix((np.ones(len(link)), (link, np.arange(len(link)))), shape=shape)

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


def _concentration(to_links: sparse.csr_matrix, parts_bps: FloatArray) -> FloatArray:
    """(cases, links) sum of the squared shares of what comes to each link; 1 where nothing does."""
    squares, loads = to_links @ (parts_bps * parts_bps), to_links @ parts_bps
    shares = np.divide(squares, loads * loads, out=np.ones_like(loads), where=loads > 0)
    return np.asarray(shares.T)

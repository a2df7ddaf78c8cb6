"""The constants of a network in the order of the arrays."""

from __future__ import annotations

from dataclasses import replace

from small_networks import square

from twin.indexing import FRAME_BITS, Indexing


def test_a_queue_in_bytes_holds_the_frames_that_fit() -> None:
    topology = square()
    first, *others = topology.core_links
    in_bytes = replace(first, shape=replace(first.shape, queue_bytes=5 * 1442))
    indexing = Indexing(replace(topology, links=(in_bytes, *others, *topology.access_links)))
    assert FRAME_BITS == 1442 * 8
    assert indexing.queue_packets[indexing.link[first.directions[0]]] == 5
    assert indexing.queue_packets[indexing.link[others[0].directions[0]]] == 100

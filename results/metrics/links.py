"""What happened to the frames of every link in the measured window, by the links' own counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from results.timeline import Window
from testbed.records import LinkCounters, LinksSample
from topologies.model import DirectedLink, Topology


@dataclass(frozen=True)
class LinkFrames:
    """Frames of one direction. None: the links' backend cannot say."""

    direction: DirectedLink
    received: int
    sent: int
    dropped_by_queue: int
    dropped_by_loss: int
    dropped_by_fault: int
    duplicated: int | None
    corrupted: int | None
    queue_high_water_packets: int | None
    """Since the links were made."""


def link_frames(
    samples: Sequence[LinksSample], topology: Topology, window: Window
) -> tuple[LinkFrames, ...]:
    """Return the last counters in `window` less the first ones; nothing without two of them."""
    within = [sample for sample in samples if window.holds(sample.t_s)]
    if len(within) < 2:
        return ()
    directions = (direction for link in topology.links for direction in link.directions)
    return tuple(
        _difference(direction, first, last)
        for direction, first, last in zip(
            directions, within[0].counters, within[-1].counters, strict=False
        )
    )


def _difference(direction: DirectedLink, first: LinkCounters, last: LinkCounters) -> LinkFrames:
    return LinkFrames(
        direction=direction,
        received=last.received - first.received,
        sent=last.sent - first.sent,
        dropped_by_queue=last.dropped_by_queue - first.dropped_by_queue,
        dropped_by_loss=last.dropped_by_loss - first.dropped_by_loss,
        dropped_by_fault=last.dropped_by_fault - first.dropped_by_fault,
        duplicated=_less(last.duplicated, first.duplicated),
        corrupted=_less(last.corrupted, first.corrupted),
        queue_high_water_packets=last.queue_high_water_packets,
    )


def _less(last: int | None, first: int | None) -> int | None:
    return None if last is None or first is None else last - first

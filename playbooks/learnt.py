"""What the twin of a run has learnt about its network, from the records that it left."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

from results.run_directory import Event, RunDirectory, read_lines
from topologies.model import DirectedLink
from twin import memory
from twin.model import Correction
from twin.records import FailingSign, LinkFailing, LinkMended, TwinRecord


def records_of_the_living(run_dir: RunDirectory, until_s: float) -> Iterator[TwinRecord]:
    """What the twin that lives at `until_s` has recorded, without those killed before."""
    crashes = (e.t_s for e in read_lines(run_dir.events, Event) if e.event == "twin-crash")
    since_s = max((t_s for t_s in crashes if t_s <= until_s), default=-math.inf)
    return (record for record in _records(run_dir) if since_s < record.t_s <= until_s)


def learnt(run_dir: RunDirectory, until_s: float) -> Correction:
    """The correction of its model at `until_s` (CLOCK_MONOTONIC); one twin hands it to the next."""
    return memory.learnt(r for r in _records(run_dir) if r.t_s <= until_s).correction


def failing(
    run_dir: RunDirectory, until_s: float
) -> Mapping[tuple[DirectedLink, FailingSign], float]:
    """The directions that fail, or will, at `until_s`: share of packets lost, or ms of delay, more
    than they should."""
    levels: dict[tuple[DirectedLink, FailingSign], float] = {}
    for record in records_of_the_living(run_dir, until_s):
        match record:
            case LinkFailing(sender=a, receiver=b, sign=sign, level=level):
                levels[(a, b), sign] = level
            case LinkMended(sender=a, receiver=b):
                levels = {one: level for one, level in levels.items() if one[0] != (a, b)}
            case _:
                pass
    return levels


def _records(run_dir: RunDirectory) -> Iterator[TwinRecord]:
    records: Iterator[TwinRecord] = read_lines(run_dir.twin, cast(Any, TwinRecord))
    return records

"""What the twin of a run has learnt about its network, from the records that it left."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from results.run_directory import Event, RunDirectory, read_lines
from topologies.model import DirectedLink
from twin.model import Correction
from twin.records import (
    Calibration,
    CapacityLearnt,
    FailingSign,
    LinkFailing,
    LinkMended,
    TwinRecord,
)


def records_of_the_living(run_dir: RunDirectory, until_s: float) -> Iterator[TwinRecord]:
    """What the twin that lives at `until_s` has recorded: one killed before has left nothing."""
    crashes = (e.t_s for e in read_lines(run_dir.events, Event) if e.event == "twin-crash")
    since_s = max((t_s for t_s in crashes if t_s <= until_s), default=-math.inf)
    records: Iterator[TwinRecord] = read_lines(run_dir.twin, cast(Any, TwinRecord))
    return (record for record in records if since_s < record.t_s <= until_s)


def learnt(run_dir: RunDirectory, until_s: float) -> Correction:
    """The correction of its model at `until_s` (CLOCK_MONOTONIC)."""
    correction = Correction()
    for record in records_of_the_living(run_dir, until_s):
        match record:
            case Calibration(name="load-gain", after=after):
                correction = replace(correction, load_gain=after)
            case Calibration(name="variance", after=after):
                correction = replace(correction, variance=after)
            case CapacityLearnt(sender=a, receiver=b):
                factor = record.after_bps / record.configured_bps
                factors = {**correction.capacity_factor, (a, b): factor}
                correction = replace(correction, capacity_factor=factors)
            case _:
                pass
    return correction


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

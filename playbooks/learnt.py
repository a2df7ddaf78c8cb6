"""What the twin of a run has learnt about its network, from the records that it left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from results.run_directory import RunDirectory, read_lines
from twin.model import Correction
from twin.records import Calibration, CapacityLearnt, TwinRecord


def learnt(run_dir: RunDirectory, until_s: float) -> Correction:
    """The correction of its model at `until_s` (CLOCK_MONOTONIC)."""
    correction = Correction()
    records: Iterator[TwinRecord] = read_lines(run_dir.twin, cast(Any, TwinRecord))
    for record in records:
        if record.t_s > until_s:
            continue
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

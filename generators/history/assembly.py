"""From rates with a time, a source and a target to a `History`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from generators.history.structure import (
    MONDAY_S,
    WEEK_S,
    YEAR_10000_S,
    History,
    HistoryError,
    week_seconds,
)

Cells = Mapping[tuple[str, str], float]
"""Rates in bit/s by source and target."""

_OFF_STEP = 0.01
"""Of a step: so far a time may be off the regular grid."""
_LONGEST = 1_000_000


@dataclass(frozen=True)
class Snapshot:
    """One traffic matrix; what it does not name is zero, or a gap where it says so."""

    t_s: float
    """Unix time, or seconds after the first snapshot."""
    cells: Cells
    where: str
    """Its file, and line where there is one: for messages."""
    label: str = ""


def assemble(
    path: Path, snapshots: list[Snapshot], step_s: float | None = None, *, sparse: bool
) -> History:
    """Put snapshots in order, on regular steps; steps without one are gaps.

    Args:
        path: for messages.
        snapshots: in any order.
        step_s: if the file says it; else the shortest time between two snapshots.
        sparse: what a snapshot does not name is zero, not a gap.

    Raises:
        HistoryError: there are fewer than two, two of the same time, or one off the steps.
    """
    if len(snapshots) < 2:
        raise HistoryError(f"{path}: {len(snapshots)} traffic matrices: give two at least")
    ordered = sorted(snapshots, key=lambda one: one.t_s)
    times_s = np.array([one.t_s for one in ordered])
    apart_s = np.diff(times_s)
    if (apart_s <= 0).any():
        first = int(np.argmin(apart_s))
        raise HistoryError(
            f"{ordered[first + 1].where}: the same time as {ordered[first].where}: give each once"
        )
    step_s = float(apart_s.min()) if step_s is None else step_s
    places = (times_s - times_s[0]) / step_s
    off = np.abs(places - np.round(places)) > _OFF_STEP
    if off.any():
        raise HistoryError(
            f"{ordered[int(off.argmax())].where}: its time is not a multiple of {step_s:g} s after "
            "the first: give regular steps"
        )
    steps = round(float(places[-1])) + 1
    if steps > _LONGEST:
        raise HistoryError(
            f"{ordered[-1].where}: its time is {steps:,} steps of {step_s:g} s after the first: "
            "mend the time"
        )
    hosts = tuple(sorted({node for one in ordered for pair in one.cells for node in pair}))
    matrices_bps = np.full((steps, len(hosts), len(hosts)), np.nan)
    labels = [""] * steps
    index = {host: row for row, host in enumerate(hosts)}
    for one, place in zip(ordered, np.round(places).astype(int), strict=True):
        if sparse:
            matrices_bps[place] = 0.0
        for (source, target), rate_bps in one.cells.items():
            matrices_bps[place, index[source], index[target]] = rate_bps
        labels[place] = one.label
    diagonal = np.arange(len(hosts))
    matrices_bps[:, diagonal, diagonal] = 0.0
    first_s = float(times_s[0])
    unix_s = first_s if WEEK_S <= first_s < YEAR_10000_S else None
    start_s = first_s if first_s < WEEK_S else (first_s - MONDAY_S) % WEEK_S
    words = tuple(labels) if any(labels) else ()
    return History(hosts, step_s, matrices_bps, start_s, words, unix_s)


def unix_time_s(moment: datetime) -> float:
    """Return a time that keeps clock and weekday of `moment`, whatever its time zone."""
    days = moment.date().toordinal() - datetime(1970, 1, 1).toordinal()
    return days * 86_400.0 + week_seconds(moment) % 86_400.0


def checked_rate_bps(word: str, where: str, unit_bps: float = 1.0) -> float:
    """Return the rate that `word` says; an empty word is a gap (NaN).

    Raises:
        HistoryError: it is not a finite number of at least 0.
    """
    if not word.strip():
        return float("nan")
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if not (np.isfinite(value) and value >= 0):
        raise HistoryError(f"{where}: {word.strip()!r} is no rate: give a number of at least 0")
    return value * unit_bps

"""Rates, volumes or flow counters as comma-separated text, a line for a pair and a time.

The first line names the columns: `time` (ISO 8601, or seconds), `source`, `target` and one of

- `rate_bps`, `rate_kbps`, `rate_mbps`: the mean rate of the step that begins at `time`;
- `bytes`: what was carried in that step (flow records, summed over the flows of a pair);
- `counter_bytes`: a counter that only grows, read at `time`; where it goes back it began anew.

`label` may say what the step is an example of. A pair that a step does not name carried nothing
where rates or bytes are given, and is a gap where counters are; an empty cell is a gap.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from generators.history.assembly import Snapshot, assemble, checked_rate_bps, unix_time_s
from generators.history.structure import History, HistoryError

_RATES: Mapping[str, float] = {"rate_bps": 1.0, "rate_kbps": 1e3, "rate_mbps": 1e6}
_VOLUMES: Mapping[str, float] = {"bytes": 8.0, "counter_bytes": 8.0}
_NEEDED = ("time", "source", "target")


@dataclass(frozen=True)
class _Row:
    line: int
    t_s: float
    pair: tuple[str, str]
    value: float
    label: str


def read_csv(path: Path) -> History:
    """Read such a file.

    Raises:
        HistoryError: naming the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            column = _value_column(path, reader.fieldnames or ())
            rows = list(_rows(path, reader, column))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HistoryError(f"{path}: not readable as comma-separated text ({error})") from error
    if column == "counter_bytes":
        return _from_counters(path, rows)
    snapshots = _snapshots(path, rows, summed=column == "bytes")
    history = assemble(path, snapshots, sparse=True)
    if column == "bytes":
        history.matrices_bps[:] /= history.step_s  # bits of a step so far
    return history


def read_moment_s(word: str, where: str) -> float:
    """Return the time that `word` says: seconds, or ISO 8601.

    Raises:
        HistoryError: it is neither.
    """
    try:
        seconds = float(word)
    except ValueError:
        try:
            return unix_time_s(datetime.fromisoformat(word.strip().removesuffix("Z")))
        except ValueError:
            raise HistoryError(
                f"{where}: {word!r} is no time: give seconds, or 2026-01-31T23:55:00"
            ) from None
    if not np.isfinite(seconds):
        raise HistoryError(f"{where}: {word!r} is no time")
    return seconds


def _value_column(path: Path, names: object) -> str:
    found = tuple(names) if isinstance(names, (list, tuple)) else ()
    missing = [name for name in _NEEDED if name not in found]
    values = [name for name in (*_RATES, *_VOLUMES) if name in found]
    if missing or len(values) != 1:
        raise HistoryError(
            f"{path}:1: columns {', '.join(found) or 'none'}: give time, source, target and one of "
            f"{', '.join((*_RATES, *_VOLUMES))}"
        )
    return values[0]


def _rows(path: Path, reader: csv.DictReader[str], column: str) -> Iterator[_Row]:
    unit = {**_RATES, **_VOLUMES}[column]
    for words in reader:
        where = f"{path}:{reader.line_num}"
        if None in words.values() or None in words:
            raise HistoryError(f"{where}: not as many cells as the first line has columns")
        source, target = words["source"].strip(), words["target"].strip()
        if not source or not target:
            raise HistoryError(f"{where}: source or target is empty")
        value = checked_rate_bps(words[column], where, unit)
        t_s = read_moment_s(words["time"], where)
        label = (words.get("label") or "").strip()
        yield _Row(reader.line_num, t_s, (source, target), value, label)


def _snapshots(path: Path, rows: list[_Row], *, summed: bool) -> list[Snapshot]:
    of_time: defaultdict[float, dict[tuple[str, str], float]] = defaultdict(dict)
    labels: dict[float, str] = {}
    first_line: dict[float, int] = {}
    for row in rows:
        cells = of_time[row.t_s]
        if row.pair in cells and not summed:
            raise HistoryError(
                f"{path}:{row.line}: {row.pair[0]} to {row.pair[1]} once more at the same time"
            )
        cells[row.pair] = cells.get(row.pair, 0.0) + row.value
        labels[row.t_s] = row.label or labels.get(row.t_s, "")
        first_line.setdefault(row.t_s, row.line)
    return [
        Snapshot(t_s, cells, f"{path}:{first_line[t_s]}", labels[t_s])
        for t_s, cells in of_time.items()
    ]


def _from_counters(path: Path, rows: list[_Row]) -> History:
    """The growth from one reading to the next; a gap where there is none, or it is negative."""
    read = assemble(path, _snapshots(path, rows, summed=False), sparse=False)
    grown_bps = np.diff(read.matrices_bps, axis=0) / read.step_s
    grown_bps[grown_bps < 0] = np.nan
    return replace(read, matrices_bps=grown_bps, labels=read.labels[:-1])

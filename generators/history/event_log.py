"""Event logs with labels, as comma-separated text: `start,end,label`, times as in the history."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from generators.history.csv_tables import read_moment_s
from generators.history.structure import MONDAY_S, WEEK_S, History, HistoryError

_COLUMNS = ["start", "end", "label"]


def labelled(history: History, log: Path) -> History:
    """Return `history` with the labels of `log` on the steps that its events touch.

    Seconds count from the start of the history. Where it has no date, nor have ISO times: they are
    times of the week.

    Raises:
        HistoryError: naming the line.
    """
    labels = list(history.labels or [""] * history.steps)
    try:
        with log.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            if reader.fieldnames != _COLUMNS:
                raise HistoryError(f"{log}:1: give the columns start,end,label")
            for row in reader:
                where = f"{log}:{reader.line_num}"
                if None in row.values() or not row["label"].strip():
                    raise HistoryError(f"{where}: give start, end and a label")
                first, end = (_step(history, row[name], where) for name in ("start", "end"))
                if not 0 <= first < end <= history.steps + 1:
                    raise HistoryError(f"{where}: not within the history, or it ends first")
                for step in range(int(first), min(history.steps, int(np.ceil(end)))):
                    labels[step] = row["label"].strip()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HistoryError(f"{log}: not readable as comma-separated text ({error})") from error
    return replace(history, labels=tuple(labels))


def _step(history: History, word: str, where: str) -> float:
    """The step, with its fraction, at which a time lies."""
    moment_s = read_moment_s(word, where)
    length_s = (history.steps + 1) * history.step_s
    if moment_s > max(WEEK_S, length_s):  # a date
        if history.unix_s is not None:
            return (moment_s - history.unix_s) / history.step_s
        if length_s > WEEK_S + history.step_s:
            raise HistoryError(
                f"{where}: of a history longer than a week, without a date, it is not known which "
                "week this is in: give seconds from its start"
            )
        moment_s = (moment_s - MONDAY_S - history.start_s) % WEEK_S
    return moment_s / history.step_s

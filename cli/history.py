"""Traffic histories, from which the models learn: look at one, convert one, make one from a run.

FILE is .npz, .csv, or a folder or archive (.tgz, .zip) of SNDlib's dynamic traffic matrices, native
or XML. docs/history.md says what stands in them.

examples:
  twinbed history show abilene.npz
  twinbed history from-run runs/20260105-101500-high-load-twin --out lab.npz
  twinbed history convert flows.csv --events incidents.csv --out flows.npz
"""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.table import Table

from cli.errors import UserError
from cli.output import messages, print_json, results
from cli.progress import RunProgress
from cli.runs import HELP, named_run
from generators.history import History, HistoryError, read_history
from generators.history.event_log import labelled
from generators.history.npz import write_npz
from results.run_history import history_of_run

_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = 72
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="show|convert|from-run", required=True)
    show = actions.add_parser("show", help="what a history holds")
    show.add_argument("file", type=Path, metavar="FILE")
    show.add_argument("--json", action="store_true", help="one JSON document on standard output")
    convert = actions.add_parser("convert", help="write a history as .npz, with labels if you like")
    convert.add_argument("file", type=Path, metavar="FILE")
    convert.add_argument(
        "--events", type=Path, metavar="LOG", help="labels: comma-separated start,end,label"
    )
    from_run = actions.add_parser("from-run", help="make one from the telemetry of a run")
    from_run.add_argument("run", metavar="RUN", help=HELP)
    for action in (convert, from_run):
        action.add_argument("--out", type=Path, required=True, metavar="FILE.npz")
        action.add_argument("--json", action="store_true", help="say what it holds as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    try:
        with RunProgress(messages).shown() as progress:
            progress.step("reading")
            history = _history(arguments)
    except HistoryError as error:
        raise UserError(str(error)) from error
    if arguments.action != "show":
        _write(history, arguments.out)
    if arguments.json:
        print_json(summary(history))
    else:
        results.print(_table(history))
    return 0


def _history(arguments: argparse.Namespace) -> History:
    if arguments.action == "from-run":
        return history_of_run(named_run(arguments.run))
    history = read_history(arguments.file)
    if arguments.action == "convert" and arguments.events is not None:
        return labelled(history, arguments.events)
    return history


def _write(history: History, out: Path) -> None:
    if out.suffix != ".npz":
        raise UserError(f"--out {out}: histories are written as .npz: name it so")
    try:
        write_npz(history, out)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}") from error
    messages.print(f"written: {out}", highlight=False)


def summary(history: History) -> dict[str, Any]:
    """What a history holds, as `--json` prints it."""
    rates_bps, gaps = history.rates_bps, history.gaps
    known = rates_bps[~gaps]
    return {
        "nodes": history.hosts,
        "pairs": rates_bps.shape[1],
        "steps": history.steps,
        "step_s": history.step_s,
        "start_s": history.start_s,
        "unix_s": history.unix_s,
        "unit": "bit/s",
        "gaps": int(gaps.sum()),
        "gaps_percent": 100 * float(gaps.mean()),
        "smallest_bps": float(known.min()) if known.size else None,
        "median_bps": float(np.median(known)) if known.size else None,
        "largest_bps": float(known.max()) if known.size else None,
        "labels": dict(Counter(label for label in history.labels if label)),
        "total_bps": _totals_bps(history),
    }


def _totals_bps(history: History) -> list[float | None]:
    """Of at most `_COLUMNS` parts of equal length; None where all is gaps."""
    parts = np.array_split(history.rates_bps, min(_COLUMNS, history.steps))
    totals: list[float | None] = []
    for part in parts:
        known = ~np.isnan(part)
        sums = np.where(known, part, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        totals.append(float(sums.sum()) if known.any() else None)
    return totals


def _table(history: History) -> Table:
    facts = summary(history)
    table = Table(box=None, pad_edge=False, show_header=False)

    def row(what: str, value: str) -> None:
        table.add_row(what, escape(value))

    nodes = ", ".join(history.hosts)
    row("nodes", f"{len(history.hosts)}: {nodes if len(nodes) < 90 else nodes[:87] + '...'}")
    row("pairs", f"{facts['pairs']:,}")
    row("steps", f"{history.steps:,} of {history.step_s:g} s: {_length(history)}")
    row("begins", _moment(history))
    row("gaps", f"{facts['gaps']:,} cells ({facts['gaps_percent']:.2g} %)")
    if facts["largest_bps"] is not None:
        figures = (facts["smallest_bps"], facts["median_bps"], facts["largest_bps"])
        low, median, high = (f"{figure / 1e6:,.4g}" for figure in figures)
        row("rates", f"{low} to {high}, median {median} Mbit/s")
    row("labels", ", ".join(f"{k}: {v} steps" for k, v in facts["labels"].items()) or "none")
    totals = [total for total in facts["total_bps"] if total is not None]
    if totals:
        row("total", f"{min(totals) / 1e6:,.4g} to {max(totals) / 1e6:,.4g} Mbit/s")
        row("", _sparkline(facts["total_bps"]))
    return table


def _length(history: History) -> str:
    seconds = history.steps * history.step_s
    if seconds < 7200:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h" if seconds < 2 * 86_400 else f"{seconds / 86_400:.3g} days"


def _moment(history: History) -> str:
    day, minutes = divmod(int(history.start_s // 60), 1440)
    clock = f"{_DAYS[day % 7]} {minutes // 60:02d}:{minutes % 60:02d}"
    if history.unix_s is None:
        return clock
    date = datetime.fromtimestamp(history.unix_s, timezone.utc).date()
    return f"{clock}, {date.isoformat()}"


def _sparkline(totals: list[float | None]) -> str:
    top = max((total for total in totals if total is not None), default=0.0) or 1.0
    last = len(_BARS) - 1
    return "".join(" " if t is None else _BARS[round(last * t / top)] for t in totals)

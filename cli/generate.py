"""Make traffic with a stored model, and write it as a schedule.

The schedule has the rates and the step of the history that the model has learnt from. Of an attack
it holds the flood too: on a random host, as strong as the model makes it.

examples:
  twinbed generate --model abilene --class peak --seed 7 --hours 2 --out schedule.npz
  twinbed generate --model abilene --class flash-crowd --at "Tue 14:30" --load 0.7 --out crowd.npz
  twinbed generate --model abilene@2 --hours 168 --at "Mon 00:00" --out week.npz --compare
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import numpy as np
from rich.markup import escape

from cli.arguments import read_seed
from cli.errors import UserError
from cli.model_keeping import BUILT_IN, named_history
from cli.output import messages, print_json, results
from cli.progress import RunProgress
from generators.history import HistoryError
from generators.kinds import KINDS
from generators.model_store import ModelStore, ModelStoreError, Record, history_sha256
from generators.schedule import Schedule

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_AT = re.compile(r"(?:(\w{3})\w*\s+)?(\d{1,2}):(\d{2})")
_MOST_STEPS = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--model", required=True, metavar="NAME[@VERSION]")
    parser.add_argument(
        "--class", dest="kind", choices=KINDS, default="normal", help="default: normal"
    )
    parser.add_argument("--hours", type=float, default=2.0, metavar="H", help="default: 2")
    parser.add_argument("--seed", type=read_seed, default=0, metavar="N", help="default: 0")
    parser.add_argument("--at", metavar="'DAY HH:MM'", help="when it begins; default: any time")
    parser.add_argument(
        "--load", type=float, metavar="Q", help="quantile of the load to keep up, such as 0.9"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.npz")
    parser.add_argument(
        "--compare", action="store_true", help="write FILE.html too: real beside generated"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(arguments: argparse.Namespace) -> int:
    """Make the schedule."""
    start_s = _moment_s(arguments.at)
    if arguments.out.suffix != ".npz":
        raise UserError(f"--out {arguments.out}: schedules are written as .npz: name it so")
    if arguments.load is not None and not 0 < arguments.load < 1:
        raise UserError(f"--load {arguments.load:g}: give a quantile between 0 and 1, such as 0.9")
    with RunProgress(messages).shown() as progress:
        progress.step("loading the model")
        from generators.gan import TrafficGan
        from generators.generation import made_schedule
        from generators.model_files import ModelFileError

        try:
            record, weights = ModelStore().find(arguments.model)
            if record.kind != "gan":
                raise UserError(f"--model {arguments.model}: a {record.kind} makes no traffic")
            gan = TrafficGan.load(weights)
        except (ModelStoreError, ModelFileError) as error:
            raise UserError(str(error)) from error
        steps = _steps(arguments.hours, gan.step_s)
        progress.step("making traffic")
        schedule, began_s = made_schedule(
            gan, arguments.kind, steps, arguments.seed, start_s, arguments.load
        )
        _save(schedule, arguments.out)
        page = _compare(record, schedule, began_s, arguments.out) if arguments.compare else None
    _say(arguments, record, schedule, page)
    return 0


def _moment_s(words: str | None) -> float | None:
    """Seconds after Monday 00:00."""
    if words is None:
        return None
    found = _AT.fullmatch(words.strip())
    day = (found[1] or "mon").lower() if found else ""
    if found is None or day not in _DAYS or int(found[2]) > 23 or int(found[3]) > 59:
        raise UserError(f"--at {words}: give a day and a time, such as 'Tue 14:30'")
    return _DAYS.index(day) * 86_400.0 + int(found[2]) * 3600.0 + int(found[3]) * 60.0


def _steps(hours: float, step_s: float) -> int:
    steps = round(hours * 3600 / step_s) if np.isfinite(hours) else 0
    if not 1 <= steps <= _MOST_STEPS:
        raise UserError(
            f"--hours {hours:g}: that is {steps:,} steps of {step_s:g} s: give 1 to {_MOST_STEPS:,}"
        )
    return steps


def _save(schedule: Schedule, out: Path) -> None:
    try:
        schedule.save(out)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror}") from error


def _compare(record: Record, schedule: Schedule, began_s: float, out: Path) -> Path:
    from generators.history import History
    from results.traffic_page import traffic_page

    file = None if record.history == BUILT_IN else Path(record.history)
    try:
        real = named_history(file, record.topology)
    except HistoryError as error:
        raise UserError(f"--compare: {error}") from error
    if history_sha256(real) != record.history_sha256:
        raise UserError(
            f"--compare: {record.history} is not the history that {record.name}@{record.version} "
            "was trained on any more"
        )
    made = History(schedule.hosts, schedule.interval_s, schedule.with_floods_bps, began_s)
    page = out.with_suffix(".html")
    try:
        page.write_text(traffic_page(out.stem, real, made), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{page} cannot be written: {error.strerror}") from error
    return page


def _say(
    arguments: argparse.Namespace, record: Record, schedule: Schedule, page: Path | None
) -> None:
    mean_bps = float(schedule.matrices_bps.sum(axis=(1, 2)).mean())
    if arguments.json:
        print_json(
            {
                "model": f"{record.name}@{record.version}",
                "class": arguments.kind,
                "seed": arguments.seed,
                "out": str(arguments.out),
                "page": None if page is None else str(page),
                "steps": schedule.steps,
                "interval_s": schedule.interval_s,
                "mean_total_bps": mean_bps,
                "notes": schedule.notes,
            }
        )
        return
    results.print(
        f"{escape(str(arguments.out))}: {schedule.steps} steps of {schedule.interval_s:g} s, "
        f"{mean_bps / 1e6:,.4g} Mbit/s in the mean",
        highlight=False,
    )
    for note in schedule.notes:
        results.print(f"  {escape(note)}", highlight=False)
    if page is not None:
        messages.print(f"real beside generated: {page}", highlight=False)

"""Show what happened in a run, in order: faults, ports, switches, routes, reroutes, drops.

The events of the timeline (`events.jsonl`) and the controller's news (`telemetry.jsonl`) stand in
one list. The second time is the one of the playbook's timeline, in seconds. A reroute's phases are
those of `docs/northbound.md`, each with the time since the one before.

examples:
  twinbed events runs/20260105-101500-network-failure-twin
  twinbed events RUN --follow            (until the run ends, or Ctrl-C)
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, cast

import msgspec
from rich.markup import escape
from rich.table import Table

from cli.errors import UserError
from cli.output import print_json, results
from cli.runs import HELP, named_run, running_lab
from controller.messages import FromController
from results.growing_file import GrowingFile
from results.happenings import Happening, happening
from results.run_clock import RunClock, run_clock
from results.run_directory import Event, RunDirectory

_LOOK_S = 0.25
_END = "lab-stopped"
_WARNING = {
    *("problem", "port-down", "switch-lost", "gap"),
    *("link-suspected-silent", "links-miscabled"),
}


class _Story:
    """The happenings of a run, as its files tell them."""

    def __init__(self, run_dir: RunDirectory) -> None:
        self._events = GrowingFile(run_dir.events, Event)
        self._telemetry = GrowingFile(run_dir.telemetry, cast(Any, FromController))
        self.clock: RunClock = run_clock(run_dir.read_manifest(), ())
        self.ended = False

    def new(self) -> list[Happening]:
        """What has happened since the last time, in order."""
        events = list(self._events.new())
        self.clock.note(events)
        self.ended = self.ended or any(event.event == _END for event in events)
        told = [happening(record) for record in (*events, *self._telemetry.new())]
        return sorted((one for one in told if one), key=lambda one: one.t_s)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("run", metavar="RUN", help=HELP)
    parser.add_argument("--follow", action="store_true", help="go on until the run ends")
    parser.add_argument(
        "--json",
        action="store_true",
        help="one JSON document on standard output; with --follow, one a line",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print what has happened, and with --follow what happens."""
    run_dir = named_run(arguments.run)
    try:
        story = _Story(run_dir)
        if not arguments.follow:
            _print_all(story, story.new(), as_json=arguments.json)
            return 0
        tell = _json_line if arguments.json else _line
        _follow(story, lambda: running_lab(run_dir) is not None, tell)
    except BrokenPipeError:  # whoever reads has heard enough
        raise
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"{run_dir.path}: its events cannot be read: {error}") from error
    return 0


def _follow(
    story: _Story, running: Callable[[], bool], tell: Callable[[RunClock, Happening], None]
) -> None:
    last = False
    while True:
        for one in story.new():
            tell(story.clock, one)
        if last or story.ended:
            return
        last = not running()  # what it wrote at its end is still to be told
        time.sleep(_LOOK_S)


def _row(clock: RunClock, one: Happening) -> dict[str, Any]:
    return {"in_run_s": clock.in_run_s(one.t_s), **msgspec.to_builtins(one)}


def _json_line(clock: RunClock, one: Happening) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(_row(clock, one)) + b"\n")
    sys.stdout.buffer.flush()


def _line(clock: RunClock, one: Happening) -> None:
    cells = _cells(clock, one)
    columns = f"{cells[0]}  {cells[1]:>9}  {_styled(one, 21)}  {cells[3]:<12}  {cells[4]}"
    results.print(columns.rstrip(), highlight=False, soft_wrap=True)


def _print_all(story: _Story, happenings: Iterable[Happening], *, as_json: bool) -> None:
    if as_json:
        print_json({"events": [_row(story.clock, one) for one in happenings]})
        return
    table = Table(box=None, pad_edge=False)
    for column in ("at", "in the run", "what", "about", "detail"):
        table.add_column(column, justify="right" if column == "in the run" else "left")
    for one in happenings:
        table.add_row(*_cells(story.clock, one))
    results.print(table)


def _cells(clock: RunClock, one: Happening) -> tuple[str, str, str, str, str]:
    return (
        clock.time_of_day(one.t_s),
        clock.in_run(one.t_s),
        _styled(one),
        escape(one.about),
        escape(one.detail),
    )


def _styled(one: Happening, width: int = 0) -> str:
    what = f"{escape(one.what):<{width}}"
    return f"[red]{what}[/]" if one.what in _WARNING else what

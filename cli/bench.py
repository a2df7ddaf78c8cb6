"""Measure something against its targets; without a NAME, list what can be measured.

Exit code 0: all targets are met; 1: not all; 3: this machine cannot measure it. After Ctrl-C the
parts that were done are shown.
Words that are not known here go to the benchmark; `twinbed bench NAME --help` lists its own.

examples:
  twinbed bench links --quick
  twinbed bench seeds high-load 1 2 3 4 5
  twinbed bench recovery --only "planned reroute" --markdown table.md
  twinbed bench generators topohub:sndlib/abilene --history abilene.npz --seed 1
  twinbed bench imputation --history abilene.npz --json
  twinbed bench benefit --history abilene.npz --seeds 5
  twinbed bench forecast topohub:sndlib/abilene --history abilene.npz --train-days 11
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, cast

from rich.markup import escape
from rich.table import Table

from benchmarks.parts import CutShort
from benchmarks.report import NAMES, Report, Step
from cli.arguments import HELP_WORDS
from cli.errors import UserError
from cli.execution import as_user_errors
from cli.output import messages, print_json, results
from cli.progress import RunProgress
from playbooks.runner import Interrupted
from testbed.reference.errors import MeasurementError


class Benchmark(Protocol):
    """What every benchmark's module offers."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the benchmark's arguments."""

    def run(self, arguments: argparse.Namespace, step: Step) -> Report:
        """Measure."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("name", nargs="?", metavar="NAME", choices=NAMES, help=", ".join(NAMES))
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the table to a file as well"
    )
    parser.set_defaults(passed_on=(), show_help=parser.print_help)


def run(arguments: argparse.Namespace) -> int:
    """Carry out one benchmark, or list them."""
    if arguments.name is None and not set(HELP_WORDS).isdisjoint(arguments.passed_on):
        arguments.show_help()
        return 0
    if arguments.name is None and arguments.passed_on:
        raise UserError(f"{' '.join(arguments.passed_on)}: of which benchmark? Give a NAME first")
    if arguments.name is None:
        return _list(arguments.json)
    module = f"benchmarks.{arguments.name.replace('-', '_')}"
    benchmark = cast(Benchmark, importlib.import_module(module))
    parser = argparse.ArgumentParser(
        f"twinbed bench {arguments.name}",
        description=benchmark.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    benchmark.add_arguments(parser)
    options = parser.parse_args(arguments.passed_on)
    try:
        report = _carry_out(benchmark, arguments.name, options)
    except CutShort as interrupted:
        if interrupted.report.rows:
            _tell(interrupted.report, arguments)
        raise KeyboardInterrupt from None
    _tell(report, arguments)
    return 0 if report.passed else 1


def _tell(report: Report, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json(document(report))
    else:
        results.print(targets_table(report))
        messages.print(verdict(report), highlight=False, markup=True)
    if arguments.markdown is not None:
        _write(arguments.markdown, targets_markdown(report))


def _carry_out(benchmark: Benchmark, name: str, options: argparse.Namespace) -> Report:
    try:
        with as_user_errors(), RunProgress(messages).shown() as progress:
            progress.label(f"bench {name}")
            return benchmark.run(options, progress.step)
    except MeasurementError as error:
        raise UserError(str(error), exit_code=3) from error
    except Interrupted:
        raise KeyboardInterrupt from None


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}") from error


def document(report: Report) -> dict[str, Any]:
    """What `--json` prints."""
    keys = ("bench", "passed", "complete", "machine", "rows", "targets", "beside", "intervals")
    return {key: getattr(report, key) for key in keys}


def targets_table(report: Report) -> Table:
    """Every target with what was measured, how sure that is, and what it stands beside."""
    table = Table(box=None, pad_edge=False, title=_title(report))
    headings, *rows = _cells(report)
    for number, heading in enumerate(headings):
        last = number == len(headings) - 1
        table.add_column(escape(heading), justify="right" if number > 0 and not last else "left")
    for *cells, met in rows:
        colour = "red" if met == "no" else "green"
        table.add_row(*map(escape, cells), f"[{colour}]{met}[/]")
    return table


def targets_markdown(report: Report) -> str:
    """The same as a table for a document."""
    headings, *rows = _cells(report)
    rule = ["---", *("---:" for _ in headings[1:-1]), "---"]
    lines = [f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows)]
    return "\n".join([f"{_title(report)}:", "", *lines, ""])


def _title(report: Report) -> str:
    machine = report.machine
    links = f", {machine.backend} links" if machine.backend else ""
    cut_short = "" if report.complete else " (interrupted)"
    return f"{report.bench}{cut_short}: {machine.cpus} processors, Linux {machine.kernel}{links}"


def _cells(report: Report) -> Iterator[list[str]]:
    """The table, its headings first."""
    judged = {target.name for target in report.targets}
    sure = ["95 % interval"] if judged & report.intervals.keys() else []
    yield ["", "target", "measured", *sure, *report.beside, "met"]
    for target in report.targets:
        yield [
            f"{target.name} ({target.unit})" if target.unit else target.name,
            target.target,
            figure(target.measured),
            *(str(report.intervals.get(target.name, "-")) for _ in sure),
            *_beside(report, target.name),
            "yes" if target.met else "no",
        ]
    for name in dict.fromkeys(name for column in report.beside.values() for name in column):
        if name not in judged:  # what it stands beside was not asked for
            yield [name, "", "", *("" for _ in sure), *_beside(report, name), ""]


def _beside(report: Report, name: str) -> Iterator[str]:
    for other, column in report.beside.items():
        sure = report.intervals.get(f"{name}, {other}")
        yield figure(column.get(name)) + (f" ({sure})" if sure else "")


def figure(measured: float | None) -> str:
    """A figure as people read it: three significant digits, thousands apart; none is a dash."""
    if measured is None:
        return "-"
    return f"{measured:,.0f}" if abs(measured) >= 100 else f"{measured:.3g}"


def verdict(report: Report) -> str:
    """One sentence, and what could not be measured."""
    failed = (row for row in report.rows if "failed" in row)
    sentences = [escape(f"{row['what']}: {row['failed']}") for row in failed]
    if not report.complete:
        sentences.append("[red]interrupted: this is what had been measured[/]")
    unmet = sum(not target.met for target in report.targets)
    if unmet:
        sentences.append(f"[red]{unmet} of {len(report.targets)} targets are not met[/]")
    elif report.targets:
        sentences.append("all targets are met" if report.complete else "its targets are met")
    else:
        sentences.append("nothing of this has a target")
    return "\n".join(sentences)


def _list(as_json: bool) -> int:
    if as_json:
        print_json(NAMES)
        return 0
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, meaning in NAMES.items():
        table.add_row(name, meaning)
    results.print(table)
    return 0

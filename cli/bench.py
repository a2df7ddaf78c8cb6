"""Measure something against its targets; without a NAME, list what can be measured.

Exit code 0: all targets are met; 1: not all; 3: this machine cannot measure it.
Words that are not known here go to the benchmark: `twinbed bench links --quick`.
"""

from __future__ import annotations

import argparse
import importlib
from typing import Protocol, cast

from rich.markup import escape
from rich.table import Table

from benchmarks.report import NAMES, Report, Step
from cli.errors import UserError
from cli.output import messages, print_json, results
from cli.progress import RunProgress
from testbed.links.backend import LinkError
from testbed.reference.errors import MeasurementError
from testbed.sandbox import SandboxUnavailableError


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
    parser.set_defaults(passed_on=())


def run(arguments: argparse.Namespace) -> int:
    """Carry out one benchmark, or list them."""
    if arguments.name is None:
        return _list(arguments.json)
    benchmark = cast(Benchmark, importlib.import_module(f"benchmarks.{arguments.name}"))
    parser = argparse.ArgumentParser(f"twinbed bench {arguments.name}", allow_abbrev=False)
    benchmark.add_arguments(parser)
    options = parser.parse_args(arguments.passed_on)
    try:
        with RunProgress(messages).shown() as progress:
            progress.label(f"bench {arguments.name}")
            report = benchmark.run(options, progress.step)
    except (LinkError, MeasurementError, SandboxUnavailableError) as error:
        raise UserError(str(error), exit_code=3) from error
    if arguments.json:
        print_json({"passed": report.passed, **{name: getattr(report, name) for name in _KEYS}})
    else:
        results.print(targets_table(report))
        messages.print(verdict(report), highlight=False)
    return 0 if report.passed else 1


_KEYS = ("bench", "machine", "rows", "targets", "baseline")


def targets_table(report: Report) -> Table:
    """Every target with what was measured, and what it stands beside, if anything."""
    machine = report.machine
    on = f"{machine.cpus} processors, Linux {machine.kernel}"
    links = f", {machine.backend} links" if machine.backend else ""
    table = Table(box=None, pad_edge=False, title=f"{report.bench}: {on}{links}")
    table.add_column("")
    table.add_column("target", justify="right")
    table.add_column("measured", justify="right")
    if report.baseline:
        table.add_column(report.baseline_name, justify="right")
    table.add_column("met")
    for target in report.targets:
        beside = [figure(report.baseline.get(target.name))] if report.baseline else []
        met = "[green]yes[/]" if target.met else "[red]no[/]"
        named = f"{target.name} ({target.unit})" if target.unit else target.name
        table.add_row(escape(named), target.target, figure(target.measured), *beside, met)
    return table


def figure(measured: float | None) -> str:
    """A figure as people read it: three significant digits, thousands apart; none is a dash."""
    if measured is None:
        return "-"
    return f"{measured:,.0f}" if abs(measured) >= 100 else f"{measured:.3g}"


def verdict(report: Report) -> str:
    """One sentence, and what could not be measured."""
    unmet = sum(not target.met for target in report.targets)
    sentences = [f"{row['what']}: {row['failed']}" for row in report.rows if "failed" in row]
    if unmet:
        sentences.append(f"[red]{unmet} of {len(report.targets)} targets are not met[/]")
    else:
        sentences.append("all targets are met")
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

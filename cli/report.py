"""Analyse a run again and write its report; or compare two runs of the same playbook.

Everything is read from the run directories: no lab is needed.

example:
  twinbed report runs/20260105-101500-high-load-twin
  twinbed report runs/BEFORE runs/AFTER --out comparison.html
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cli.errors import UserError
from cli.output import messages, print_json, results
from results.analysis import analyse
from results.comparison import compare
from results.recording import NotARunError
from results.report import comparison_report, run_report
from results.run_directory import RunDirectory
from results.summary import ReportedRun, reported_run
from results.tables import comparison_table, figures_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("run_dir", metavar="RUN_DIR", type=Path, help="a run's directory")
    parser.add_argument(
        "after", metavar="RUN_DIR2", type=Path, nargs="?", help="the run to compare it with"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="the HTML file (default: report.html in RUN_DIR, comparison.html in RUN_DIR2)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write summary.json and report.html again, and the comparison of two runs."""
    if arguments.after is None:
        _report_one(arguments.run_dir, arguments.out, as_json=arguments.json)
    else:
        _report_two(arguments.run_dir, arguments.after, arguments.out, as_json=arguments.json)
    return 0


def _report_one(run_dir: Path, out: Path | None, *, as_json: bool) -> None:
    reported = _analysed(run_dir)
    page = out or RunDirectory(run_dir).report
    _write(page, run_report(reported))
    if as_json:
        print_json(reported.summary.document())
    else:
        results.print(figures_table(reported.summary))
        messages.print(f"report: {page}")


def _report_two(before_dir: Path, after_dir: Path, out: Path | None, *, as_json: bool) -> None:
    before, after = _analysed(before_dir), _analysed(after_dir)
    for run_dir, reported in ((before_dir, before), (after_dir, after)):
        _write(RunDirectory(run_dir).report, run_report(reported))
    try:
        comparison = compare([before.summary], [after.summary])
    except ValueError as error:
        raise UserError(f"the runs cannot be compared: {error}") from error
    page = out or after_dir / "comparison.html"
    _write(page, comparison_report([before], [after]))
    if as_json:
        print_json(comparison.document())
    else:
        results.print(comparison_table(comparison))
        messages.print(f"report: {page}")


def _analysed(path: Path) -> ReportedRun:
    directory = RunDirectory(path)
    try:
        return reported_run(directory, analyse(directory))
    except NotARunError as error:
        raise UserError(f"{error}: give the directory that `twinbed run` printed") from error
    except OSError as error:
        raise UserError(f"{path}: the summary cannot be written ({error.strerror})") from error


def _write(page: Path, html: str) -> None:
    try:
        page.write_text(html, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{page}: the report cannot be written ({error.strerror})") from error

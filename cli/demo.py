"""The three scenarios on the Abilene network, under the plain controller and under the twin.

The plain controller computes shortest paths, again when a port goes down. Beside the twin the
switches have detours for every failure (--protection fast-failover).

Every figure is measured on packets of a real virtual network. The paper's figures stand beside
ours; the paper only simulated.

example:
  twinbed demo
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import product
from pathlib import Path

from cli.arguments import read_seed
from cli.execution import DEFAULT_OUT, Finished, execute, exit_code
from cli.output import messages, print_json, results
from cli.progress import RunProgress
from playbooks.plan import ProtectionMode
from results.comparison import Comparison, compare
from results.report import comparison_report
from results.summary import reported_run
from results.tables import comparison_table

SCENARIOS = ("high-load", "network-failure", "security-breach")
BEFORE, AFTER = "shortest-path", "twin"
PROTECTION: Mapping[str, ProtectionMode] = {BEFORE: "none", AFTER: "fast-failover"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument("--seed", type=read_seed, default=1, metavar="N", help="default: 1")
    parser.add_argument(
        "--out",
        type=Path,
        default=DEFAULT_OUT,
        metavar="DIR",
        help="folder in which the run directories are made (default: runs)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the six labs one after the other and compare; the exit code."""
    combinations = list(product(SCENARIOS, (BEFORE, AFTER)))
    finished: dict[tuple[str, str], Finished] = {}
    with RunProgress(messages).shown() as progress:
        for number, (scenario, policy) in enumerate(combinations, start=1):
            progress.label(f"run {number} of {len(combinations)}: {scenario}, {policy}")
            finished[scenario, policy] = execute(
                scenario, policy, arguments.seed, arguments.out, None, progress, PROTECTION[policy]
            )
    before = [finished[scenario, BEFORE] for scenario in SCENARIOS]
    after = [finished[scenario, AFTER] for scenario in SCENARIOS]
    comparison = compare([one.summary for one in before], [one.summary for one in after])
    report = after[-1].run_dir.path.parent / "demo.html"
    report.write_text(_report(before, after), encoding="utf-8")
    if arguments.json:
        print_json(_document(comparison, before, after))
    else:
        results.print(comparison_table(comparison))
    messages.print(f"run directories: {report.parent}", soft_wrap=True, highlight=False)
    messages.print(f"report: {report}", soft_wrap=True, highlight=False)
    return exit_code([*before, *after])


def _report(before: list[Finished], after: list[Finished]) -> str:
    sides = ([reported_run(one.run_dir, one.summary) for one in side] for side in (before, after))
    return comparison_report(*sides)


def _document(
    comparison: Comparison, before: list[Finished], after: list[Finished]
) -> dict[str, object]:
    return {
        "verdict": comparison.verdict,
        "valid": comparison.valid,
        "reasons": list(comparison.reasons),
        "warnings": list(comparison.warnings),
        "scenarios": {
            scenario: {"before": one.summary.metrics, "after": other.summary.metrics}
            for scenario, one, other in zip(SCENARIOS, before, after, strict=True)
        },
    }

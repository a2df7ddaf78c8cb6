"""Run one playbook under one policy in a lab of its own, and say what was measured.

PLAYBOOK is a YAML file, or the name of one that comes with Twinbed: high-load,
network-failure, security-breach, wrong-model, degrading-link. The same seed gives the same traffic
and timeline.

example:
  twinbed run playbooks/network-failure.yaml --policy twin --seed 7
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

from cli.arguments import read_seed
from cli.execution import DEFAULT_OUT, execute, exit_code
from cli.output import messages, print_json, results
from cli.progress import RunProgress
from playbooks.plan import ProtectionMode
from results.tables import figures_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("playbook", metavar="PLAYBOOK", help="a YAML file, or a built-in name")
    parser.add_argument(
        "--policy",
        default="twin",
        metavar="P",
        help="shortest-path, ecmp, greedy, twin (default), twin-rl, or one of your own: "
        "module:Class, or the name that its package announces (docs/policies.md); or a network "
        "without controller and twin: spanning-tree (RSTP of Open vSwitch), ospf (FRR's OSPF with "
        "BFD)",
    )
    parser.add_argument(
        "--protection",
        choices=get_args(ProtectionMode),
        help="how packets get round a failure before the controller acts: not at all, by "
        "fast-failover groups in the switches, or by these with BFD on every link "
        "(default: as the playbook says)",
    )
    parser.add_argument("--seed", type=read_seed, default=1, metavar="N", help="default: 1")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument(
        "--out",
        type=Path,
        default=DEFAULT_OUT,
        metavar="DIR",
        help="folder in which the run directory is made (default: runs)",
    )
    parser.add_argument(
        "--history",
        type=Path,
        metavar="FILE",
        help="learn from this traffic history (docs/history.md) instead of the built-in history",
    )


def run(arguments: argparse.Namespace) -> int:
    """Prepare, run, analyse; the exit code."""
    with RunProgress(messages).shown() as progress:
        progress.label(f"{arguments.playbook}, {arguments.policy}, seed {arguments.seed}")
        finished = execute(
            arguments.playbook,
            arguments.policy,
            arguments.seed,
            arguments.out,
            arguments.history,
            progress,
            arguments.protection,
        )
    if arguments.json:
        print_json(finished.summary.document())
    else:
        results.print(figures_table(finished.summary))
    for note in finished.run_dir.read_manifest().notes:
        messages.print(f"note: {note}", highlight=False)
    for sentence in finished.unmet:
        messages.print(f"not as expected: {sentence}", style="bold red", highlight=False)
    if failed := finished.summary.metrics.get("policy_problems"):
        told = (
            f"the policy failed {failed} x, and was kept from the network: see the report's notes"
        )
        messages.print(told, style="bold yellow", highlight=False)
    messages.print(f"run directory: {finished.run_dir.path}", soft_wrap=True, highlight=False)
    messages.print(f"report: {finished.run_dir.report}", soft_wrap=True, highlight=False)
    return exit_code([finished])

"""List the labs that are running on this machine (as root: everybody's)."""

from __future__ import annotations

import argparse
import time
from typing import Any

import msgspec
from rich.markup import escape
from rich.table import Table

from cli.output import messages, print_json, results
from results.run_directory import RunDirectory
from testbed.labs import RunningLab, running_labs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    rows = [describe(lab, now_s=time.time()) for lab in running_labs()]
    if arguments.json:
        print_json({"labs": rows})
    elif rows:
        results.print(_table(rows))
    else:
        messages.print("no lab is running")
    return 0


def describe(lab: RunningLab, now_s: float) -> dict[str, Any]:
    """What there is to say about one lab; what it plays is None until its manifest is written."""
    playbook = policy = None
    directory = RunDirectory(lab.run_dir)
    try:
        manifest = directory.read_manifest()
        playbook, policy = manifest.playbook, manifest.policy
    except (OSError, msgspec.DecodeError):
        pass  # it has only just started
    return {
        "run": lab.run_id,
        "playbook": playbook,
        "policy": policy,
        "age_s": round(now_s - lab.started_s, 1),
        "pid": lab.pid,
        "user": lab.user,
        "dir": str(lab.run_dir),
    }


def format_age(age_s: float) -> str:
    """Like `42 s`, `3 min 5 s`, `2 h 10 min`."""
    seconds = max(0, int(age_s))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("id", "playbook", "policy", "age", "pid", "user"):
        table.add_column(heading, no_wrap=True)
    table.add_column("dir", overflow="fold")
    for row in rows:
        table.add_row(
            escape(row["run"]),
            row["playbook"] or "-",
            escape(row["policy"] or "-"),
            format_age(row["age_s"]),
            str(row["pid"]),
            row["user"],
            escape(row["dir"]),
        )
    return table

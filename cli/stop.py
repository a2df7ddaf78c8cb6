"""Stop running labs, by the ids that `twinbed ps` shows, as Ctrl-C would.

What a run has recorded is analysed and stays; of the lab itself nothing is left.
"""

from __future__ import annotations

import argparse

from cli.errors import UserError
from cli.output import messages
from testbed.labs import RunningLab, running_labs, stop


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("ids", metavar="ID", nargs="*", help="the lab to stop")
    parser.add_argument("--all", action="store_true", help="stop every lab of yours")


def run(arguments: argparse.Namespace) -> int:
    """Stop them and wait until they are gone."""
    for lab in choose(running_labs(), arguments.ids, everything=arguments.all):
        try:
            in_time = stop(lab)
        except PermissionError as error:
            raise UserError(f"{lab.run_id} belongs to {lab.user}: you may not stop it") from error
        messages.print(f"stopped {lab.run_id}" + ("" if in_time else " (it had to be killed)"))
    return 0


def choose(labs: list[RunningLab], ids: list[str], *, everything: bool) -> list[RunningLab]:
    """The labs meant.

    Raises:
        UserError: an id is unknown, or neither ids nor --all were given, or both.
    """
    if everything == bool(ids):
        raise UserError("say which lab to stop: one or more ids, or --all")
    if everything:
        return labs
    known = {lab.run_id: lab for lab in labs}
    unknown = [run_id for run_id in ids if run_id not in known]
    if unknown:
        running = f"running are: {', '.join(known)}" if known else "no lab is running"
        raise UserError(f"no such lab: {', '.join(unknown)}; {running}")
    return [known[run_id] for run_id in dict.fromkeys(ids)]

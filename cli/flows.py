"""Show the flow entries and groups of the switches: as they are now, or as a run left them.

While the run lasts, its switches are asked, not the controller: what is shown is what they do.
Match and actions are in the words of Open vSwitch, with the node behind each port in brackets.

examples:
  twinbed flows runs/20260105-101500-network-failure-twin --switch s1
  twinbed flows RUN --switch s1 --switch s5 --json
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec
from rich.markup import escape
from rich.table import Table

from cli.errors import UserError
from cli.output import messages, print_json, results
from cli.runs import HELP, named_run, refuse_without_controller, running_lab
from controller.table_rows import FlowRow, GroupRow, flow_rows, group_rows, label_pairs
from results.run_directory import RunDirectory
from testbed.lab_entry import entering
from testbed.openvswitch import OpenVSwitchError
from testbed.switch_tables import SwitchTables, dump, running_switches
from topologies.addressing import address
from topologies.model import Topology


@dataclass(frozen=True)
class _Shown:
    """What one switch holds."""

    flows: list[FlowRow]
    groups: list[GroupRow]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("run", metavar="RUN", help=HELP)
    parser.add_argument(
        "--switch",
        metavar="NAME",
        action="append",
        help="only this switch; may be given more than once",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(arguments: argparse.Namespace) -> int:
    """Print the tables."""
    run_dir = named_run(arguments.run)
    try:
        refuse_without_controller(run_dir, "flow entries")
        topology = run_dir.read_topology()
        names = _names(topology, arguments.switch)
        live, tables = _tables(run_dir)
    except (OSError, msgspec.DecodeError, OpenVSwitchError) as error:
        raise UserError(f"{run_dir.path}: its tables cannot be read: {error}") from error
    shown = _shown(topology, tables)
    if arguments.json:
        switches = {name: shown.get(name) for name in names}
        print_json({"run": run_dir.path.name, "live": live, "switches": switches})
        return 0
    for name in names:
        _print(name, shown.get(name))
    messages.print("as they are now" if live else "as they were at the end of the run")
    return 0


def _names(topology: Topology, wish: list[str] | None) -> list[str]:
    known = [switch.name for switch in topology.switches]
    if unknown := [name for name in wish or () if name not in known]:
        raise UserError(f"--switch {unknown[0]}: there are {', '.join(known)}")
    return list(dict.fromkeys(wish or known))


def _tables(run_dir: RunDirectory) -> tuple[bool, Mapping[str, SwitchTables]]:
    """Whether the lab runs, and what its switches hold."""
    if lab := running_lab(run_dir):
        enter = entering(lab)
        return True, dump(running_switches(enter), enter)
    try:
        recorded = run_dir.tables.read_bytes()
    except FileNotFoundError as error:
        raise UserError(
            f"{run_dir.path} has no {run_dir.tables.name}: give the directory of a run that lasts "
            "still, or came to its end"
        ) from error
    return False, msgspec.json.decode(recorded, type=dict[str, SwitchTables])


def _shown(topology: Topology, tables: Mapping[str, SwitchTables]) -> dict[str, _Shown]:
    addressing = address(topology)
    labels = label_pairs(addressing, {name: one.flows for name, one in tables.items()})
    return {
        name: _Shown(
            flow_rows(addressing, name, one.flows, labels),
            group_rows(addressing, name, one.groups, one.group_counters),
        )
        for name, one in tables.items()
    }


def _print(name: str, shown: _Shown | None) -> None:
    results.print(f"[bold]{escape(name)}[/]", highlight=False)
    if shown is None:
        results.print("[red]it does not run[/]")
        return
    results.print(_flow_table(shown.flows))
    if shown.groups:
        results.print(_group_table(shown.groups))


def _flow_table(rows: Iterable[FlowRow]) -> Table:
    table = _empty_table("table", "priority", "for", "pair", "match", "actions", "packets", "bytes")
    for row in rows:
        table.add_row(
            str(row.table),
            str(row.priority),
            row.kind,
            escape(" → ".join(row.pair or ())),
            escape(row.match),
            escape(row.actions),
            _count(row.packets),
            _count(row.bytes),
        )
    return table


def _group_table(rows: Iterable[GroupRow]) -> Table:
    table = _empty_table("group", "type", "buckets", "packets", "bytes", "of each bucket")
    for row in rows:
        table.add_row(
            str(row.group_id),
            row.kind,
            escape(row.buckets),
            _count(row.packets),
            _count(row.bytes),
            " + ".join(map(_count, row.bucket_packets)),
        )
    return table


def _empty_table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        right = column in {"table", "priority", "packets", "bytes", "group"}
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    return table


def _count(number: int | None) -> str:
    return "" if number is None else f"{number:,}"

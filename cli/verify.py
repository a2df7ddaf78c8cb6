"""Walk packets of every pair of hosts through the tables that a run's switches held at its end.

The tables are those that Open vSwitch really had (`tables.json` of the run directory). Where the
run was protected, and no link was down at its end, every pair must get through with each link dead,
and each switch, by what the switches do themselves: no loop, no black hole. Otherwise only the
network as it was is walked. Pairs that a policy of the network denies must be denied.

Exit code 0: all get through that should, and no others; 1: otherwise.

example:
  twinbed verify runs/20260105-101500-network-failure-twin
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
from rich.markup import escape
from rich.table import Table

from cli.errors import UserError
from cli.output import print_json, results
from cli.runs import refuse_without_controller
from controller.dumped_tables import DumpError, entries_of, groups_of, meters_of
from controller.links import Links
from controller.messages import FromController, Hello, LinkState
from controller.verification import Breach, Verified, verify
from playbooks.plan import read_plan
from results.run_directory import RunDirectory, read_lines
from testbed.switch_tables import SwitchTables
from topologies.model import Topology

_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("run", type=Path, metavar="RUN_DIR", help="a run's directory")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(arguments: argparse.Namespace) -> int:
    """Verify, and say what was found."""
    run_dir = RunDirectory(arguments.run)
    try:
        refuse_without_controller(run_dir, "tables to walk through")
        tables = msgspec.json.decode(run_dir.tables.read_bytes(), type=dict[str, SwitchTables])
        protected = read_plan(run_dir.path).protection != "none"
        verified = _verify(run_dir, tables, protected)
    except FileNotFoundError as error:
        name = Path(error.filename).name
        raise UserError(
            f"{run_dir.path} has no {name}: give the directory of a run that came to its end"
        ) from error
    except (OSError, msgspec.DecodeError, DumpError) as error:
        raise UserError(f"{run_dir.path} cannot be verified: {error}") from error
    if arguments.json:
        print_json({"protected": protected, **msgspec.to_builtins(verified)})
    else:
        if verified.breaches:
            results.print(_table(verified.breaches[:_SHOWN]))
        results.print(_verdict(verified, protected), highlight=False)
    return 1 if verified.breaches else 0


def _verify(run_dir: RunDirectory, tables: Mapping[str, SwitchTables], protected: bool) -> Verified:
    entries = [e for switch, one in tables.items() for e in entries_of(switch, one.flows)]
    groups = [g for switch, one in tables.items() for g in groups_of(switch, one.groups)]
    meters = [m for switch, one in tables.items() for m in meters_of(switch, one.meters)]
    topology = run_dir.read_topology()
    dead = _links_at_the_end(run_dir, topology).dead
    failing = protected and not dead
    return verify(topology, entries, groups, meters, dead, failing)


def _links_at_the_end(run_dir: RunDirectory, topology: Topology) -> Links:
    links = Links(topology)
    telemetry: Iterator[FromController] = read_lines(run_dir.telemetry, cast(Any, FromController))
    for message in telemetry:
        if isinstance(message, Hello):
            links = Links(topology)  # what is down is told anew
        elif isinstance(message, LinkState):
            links.set_port(message.datapath, message.neighbour, message.up)
    return links


def _table(breaches: tuple[Breach, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("state", "pair", "what becomes of a packet"):
        table.add_column(column)
    for breach in breaches:
        pair = " → ".join(breach.pair)
        table.add_row(escape(breach.state), escape(pair), escape(breach.reason))
    return table


def _verdict(verified: Verified, protected: bool) -> str:
    walked = f"{verified.walks:,} walks in {verified.states} states of the network"
    if verified.breaches:
        more = len(verified.breaches) - _SHOWN
        rest = f" ({more} more are not shown)" if more > 0 else ""
        return f"[red]{len(verified.breaches)} of {walked} do not end as they should[/]{rest}"
    connected = "every pair that can be connected is"
    if verified.denied:
        connected += f", except what policies deny ({verified.denied:,} walks)"
    if verified.states == 1:
        why = "a link was down at the end" if protected else "the run had no protection"
        return f"{connected}; only the network as it was: {why}"
    return f"{connected}: {walked}, each link and switch dead in turn"

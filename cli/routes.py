"""Show the path of every pair of hosts: as it is now, or as it was when the run ended.

While the run lasts, its controller is asked. When a path was changed last, and why, comes from the
journal of the controller's messages (`telemetry.jsonl`); the second time is the one of the
playbook's timeline, in seconds.

examples:
  twinbed routes runs/20260105-101500-network-failure-twin
  twinbed routes RUN --pair h1,h5
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, cast

import msgspec
from rich.markup import escape
from rich.table import Table

from cli.errors import UserError
from cli.output import messages, print_json, results
from cli.runs import HELP, named_run
from cli.way_words import in_words
from controller.messages import FromController, Routes, route_of
from controller.northbound_client import connect
from results.route_history import PlacedRoute, RouteHistory
from results.run_clock import RunClock, run_clock
from results.run_directory import Event, Manifest, RunDirectory, read_lines
from testbed.modes import is_mode
from topologies.model import OdPair, Topology, Way

_PATIENCE_S = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("run", metavar="RUN", help=HELP)
    parser.add_argument("--pair", metavar="A,B", help="only the pair of these two hosts")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    run_dir = named_run(arguments.run)
    try:
        pairs = _pairs(run_dir.read_topology(), arguments.pair)
        manifest = run_dir.read_manifest()
        clock = run_clock(manifest, read_lines(run_dir.events, Event))
        history = RouteHistory()
        history.take(read_lines(run_dir.telemetry, cast(Any, FromController)))
        live = _ask(run_dir, history)
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"{run_dir.path}: its routes cannot be read: {error}") from error
    routes = {pair: history.routes.get(pair) for pair in pairs}
    if arguments.json:
        rows = [_row(history, clock, pair, route) for pair, route in routes.items()]
        print_json({"run": run_dir.path.name, "live": live, "routes": rows})
    else:
        results.print(_table(history, clock, routes))
        messages.print(_as_of(manifest, live))
    return 0


def _as_of(manifest: Manifest, live: bool) -> str:
    if is_mode(manifest.policy):
        return "as they were seen last: the network finds its paths itself; asked each second"
    return "as they are now" if live else "as they were at the end of the run"


def _pairs(topology: Topology, wish: str | None) -> tuple[OdPair, ...]:
    if wish is None:
        return topology.od_pairs
    source, _, target = wish.partition(",")
    if (source, target) not in topology.od_pairs:
        hosts = ", ".join(host.name for host in topology.hosts)
        raise UserError(f"--pair {wish}: give two different hosts, such as h1,h2, of: {hosts}")
    return ((source, target),)


def _ask(run_dir: RunDirectory, history: RouteHistory) -> bool:
    """Take in the snapshot of the controller, if there is one; whether there is."""
    try:
        with connect(run_dir.socket, timeout_s=0.0) as client:
            while message := client.receive(_PATIENCE_S):
                history.take([message])
                if isinstance(message, Routes):
                    return True
    except (FileNotFoundError, ConnectionError):
        return False
    raise UserError(f"the controller of {run_dir.path} did not answer within {_PATIENCE_S:g} s")


def _row(
    history: RouteHistory, clock: RunClock, pair: OdPair, route: PlacedRoute | None
) -> dict[str, Any]:
    row: dict[str, Any] = {"src": pair[0], "dst": pair[1], "path": None}
    if route is not None:
        row |= {
            **_way(pair, route.way),
            "cause": route.cause,
            "changed_s": route.changed_s,
            "in_run_s": clock.in_run_s(route.changed_s),
            "dead_link": history.dead_link_on(route.way),
        }
    return row


def _way(pair: OdPair, way: Way) -> dict[str, Any]:
    """As the controller tells it: `path`, and of a split its weight and the other paths."""
    told: dict[str, Any] = msgspec.to_builtins(route_of(pair, way))
    return {key: value for key, value in told.items() if key not in ("src", "dst")}


def _table(
    history: RouteHistory, clock: RunClock, routes: Mapping[OdPair, PlacedRoute | None]
) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("pair", "path", "changed", "at", "in the run", ""):
        table.add_column(column, justify="right" if column == "in the run" else "left")
    for pair, route in routes.items():
        cells = [escape(" → ".join(pair))]
        if route is None:
            cells += ["[red]none yet[/]"]
        else:
            dead = history.dead_link_on(route.way)
            cells += [
                escape(in_words(route.way)),
                route.cause,
                clock.time_of_day(route.changed_s),
                clock.in_run(route.changed_s),
                f"[red]crosses the dead link {escape('-'.join(dead))}[/]" if dead else "",
            ]
        table.add_row(*cells)
    return table

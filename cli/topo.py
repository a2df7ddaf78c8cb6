"""List, check and draw networks: built-in ones, those of topohub, and your own files.

examples:
  twinbed topo list
  twinbed topo show topohub:sndlib/abilene
  twinbed topo show my-network.yaml --svg my-network.svg
  twinbed topo schema > network.schema.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from cli.errors import UserError
from cli.output import messages, print_json, results
from topologies.catalogue import builtin_names, load_topology
from topologies.drawing import svg, text
from topologies.model import Link, Topology
from topologies.schema import json_schema
from topologies.topohub import MAX_SWITCHES, topohub_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="list|show|schema", required=True)

    listing = actions.add_parser("list", help="name the networks there are")
    listing.add_argument("--all", action="store_true", help="those of topohub one by one, too")
    listing.add_argument("--json", action="store_true", help="one JSON document")

    show = actions.add_parser("show", help="check one network, print it and draw it")
    show.add_argument("network", help="a built-in name, topohub:<group>/<network>, or a YAML file")
    show.add_argument("--json", action="store_true", help="one JSON document")
    show.add_argument("--svg", metavar="FILE", type=Path, help="write the drawing to FILE")

    actions.add_parser("schema", help="print the JSON Schema of a network file, for editors")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    if arguments.action == "list":
        _list(arguments.all, arguments.json)
    elif arguments.action == "show":
        _show(load_topology(arguments.network), arguments.json, arguments.svg)
    else:
        print_json(json_schema())
    return 0


def _list(everything: bool, as_json: bool) -> None:
    names = builtin_names() + (topohub_names() if everything else ())
    if as_json:
        print_json({"networks": names})
        return
    for name in names:
        results.print(escape(name), highlight=False)
    if not everything:
        messages.print(
            f"and {len(topohub_names())} of topohub, such as topohub:sndlib/abilene: --all names "
            f"them (those with up to {MAX_SWITCHES} switches can be run)"
        )


def _show(topology: Topology, as_json: bool, svg_file: Path | None) -> None:
    if svg_file is not None:
        try:
            svg_file.write_text(svg(topology) + "\n", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{svg_file}: {error.strerror}") from error
        messages.print(f"drawing written to {svg_file}")
    if as_json:
        print_json(topology)
        return
    results.print(
        f"[bold]{escape(topology.name)}[/bold]: {len(topology.switches)} switches, "
        f"{len(topology.hosts)} hosts, {len(topology.core_links)} core links\n",
        highlight=False,
    )
    results.print(text(topology, min(results.width, 100)), highlight=False, markup=False)
    results.print(_switch_table(topology))
    results.print(_link_table(topology))


def _switch_table(topology: Topology) -> Table:
    table = Table("switch", "label", "zone", "hosts", box=None, pad_edge=False)
    for switch in topology.switches:
        hosts = [host.name for host in topology.hosts if host.switch == switch.name]
        table.add_row(switch.name, escape(switch.label), switch.zone or "-", " ".join(hosts) or "-")
    return table


def _link_table(topology: Topology) -> Table:
    table = Table("link", box=None, pad_edge=False)
    for heading in ("Mbit/s", "delay ms", "jitter ms", "loss %", "queue"):
        table.add_column(heading, justify="right")
    for link in topology.links:
        table.add_row(*_link_row(link))
    return table


def _link_row(link: Link) -> tuple[str, ...]:
    shape = link.shape
    return (
        f"{link.a} - {link.b}",
        f"{shape.rate_bps / 1e6:g}",
        f"{shape.delay_ms:g}",
        f"{shape.jitter_ms:g}",
        f"{shape.loss_percent:g}",
        str(shape.queue_packets),
    )

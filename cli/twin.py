"""Print the twin's mirror of a run: what is known of every link and pair, and how old that is.

While RUN runs, the mirror is that of now; afterwards, that of the last counters. What is not known
is a dash, never a zero.

example:
  twinbed twin runs/20260105-101500-network-failure-twin --at 12
"""

from __future__ import annotations

import argparse

import msgspec
from rich.markup import escape
from rich.table import Table

from cli.errors import UserError
from cli.output import print_json, results
from cli.runs import HELP, named_run, refuse_without_controller, running_lab
from cli.way_words import in_words
from playbooks.mirrored import LinkImage, MirrorImage, NotMirroredError, PairImage, mirrored
from topologies.model import Policy

_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("run", metavar="RUN", help=HELP)
    parser.add_argument("--at", type=float, metavar="S", help="S seconds into the traffic")
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(arguments: argparse.Namespace) -> int:
    """Read the telemetry, and print what it says."""
    run_dir = named_run(arguments.run)
    try:
        refuse_without_controller(run_dir, "twin's mirror")
        image = mirrored(run_dir, arguments.at, runs=running_lab(run_dir) is not None)
    except NotMirroredError as error:
        raise UserError(str(error)) from error
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"{run_dir.path}: its telemetry cannot be read: {error}") from error
    if arguments.json:
        print_json(image)
        return 0
    results.print(_heading(image), highlight=False)
    results.print()
    results.print(_switches(image))
    results.print()
    results.print(_links(image))
    results.print()
    results.print(_pairs(image))
    if image.policies:
        results.print()
        results.print(_policies(image))
    return 0


def _heading(image: MirrorImage) -> str:
    when = "before the traffic"
    if image.at_s is not None:
        when = "now" if image.live else f"{image.at_s:.1f} s after the traffic began"
    silent = sum(not switch.connected for switch in image.switches)
    said = f"{escape(image.run)}, {when}: {len(image.pairs)} routes, {len(image.links)} links"
    return said + (f"; [red]{silent} switches are not connected[/]" if silent else "")


def _switches(image: MirrorImage) -> Table:
    table = Table("switch", box=None, pad_edge=False)
    for heading in ("connected", "ports, age", "flows, age", "groups"):
        table.add_column(heading, justify="right")
    for switch in image.switches:
        connected = "yes" if switch.connected else "[red]no[/]"
        ages = _age(switch.ports_age_s), _age(switch.flows_age_s)
        table.add_row(switch.name, connected, *ages, str(len(switch.groups)))
    return table


def _links(image: MirrorImage) -> Table:
    table = Table("link", box=None, pad_edge=False, collapse_padding=True)
    rates = "state", "Mbit/s", "carries", "of that", "lost", "age"
    for heading in (*rates, "delay, ms", "measured", "age"):
        table.add_column(heading, justify="right", no_wrap=True)
    for link in image.links:
        table.add_row(
            f"{link.sender} → {link.receiver}",
            "up" if link.up else "[red]down[/]",
            _figure(link.sent_bps, 1e-6),
            _rate_of(link),
            _figure(link.utilisation, 100, " %"),
            _figure(link.loss_share, 100, " %"),
            _age(link.age_s),
            _figure(link.configured_delay_ms, 1),
            _figure(link.measured_delay_ms, 1),
            _age(link.delay_age_s),
        )
    return table


def _pairs(image: MirrorImage) -> Table:
    busiest = sorted(image.pairs, key=lambda pair: (pair.dropped, _rate(pair)), reverse=True)
    table = Table(f"pair ({len(image.pairs)} in all)", "path", box=None, pad_edge=False)
    for heading in ("Mbit/s", "age"):
        table.add_column(heading, justify="right")
    for pair in busiest[:_SHOWN]:
        path = escape(in_words(pair.way)) if pair.way else "[red]cut off[/]"
        if pair.dropped:
            path = "[red]dropped where it enters[/]"
        rate = _figure(pair.sent_bps, 1e-6) + (" [red]not trusted[/]" if pair.distrusted else "")
        table.add_row(f"{pair.src} → {pair.dst}", path, rate, _age(pair.age_s))
    if len(busiest) > _SHOWN:
        table.caption = f"and {len(busiest) - _SHOWN} more: --json has them all"
    return table


def _policies(image: MirrorImage) -> Table:
    table = Table("policy", "what", box=None, pad_edge=False)
    for heading in ("packets", "dropped"):
        table.add_column(heading, justify="right")
    for number, policy in enumerate(image.policies, start=1):
        meters = [m for s in image.switches for m in s.meters if m.meter_id == number]
        packets = str(sum(m.packets for m in meters)) if meters else "–"
        dropped = str(sum(m.dropped_packets for m in meters)) if meters else "–"
        table.add_row(f"{number}", escape(_policy(policy)), packets, dropped)
    zones = (f"{zone}: {', '.join(hosts)}" for zone, hosts in image.zones.items())
    table.caption = escape("\n".join((*zones, "only limits are metered")))
    table.caption_justify = "left"
    return table


def _policy(policy: Policy) -> str:
    about = f" {policy.protocol}" if policy.protocol else ""
    about += f" port {policy.port}" if policy.port is not None else ""
    said = f"{policy.source} → {policy.target}{about}: "
    if policy.deny:
        return said + "deny"
    if policy.limit is not None:
        return said + f"limit to {policy.limit.rate_bps / 1e6:g} Mbit/s"
    return said + ("allow" if policy.dscp is None else f"class, DSCP {policy.dscp}")


def _rate_of(link: LinkImage) -> str:
    """What it carries, marked where that is not what is configured."""
    text = _figure(link.believed_bps, 1e-6)
    return text if link.believed_bps == link.rate_bps else f"[yellow]{text}[/]"


def _rate(pair: PairImage) -> float:
    return -1.0 if pair.sent_bps is None else pair.sent_bps


def _figure(value: float | None, scale: float, unit: str = "") -> str:
    return "–" if value is None else f"{value * scale:.3g}{unit}"


def _age(age_s: float | None) -> str:
    return "–" if age_s is None else f"{age_s:.2f} s"

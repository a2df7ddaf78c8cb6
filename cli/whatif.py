"""Ask the twin what would be, before anything is touched: failures, more traffic, new links.

WHAT is a run's directory (live or finished: its measured traffic and routes), a playbook's YAML
file, or the name of one that comes with Twinbed. What the words say happens all at once; the
controller is taken to restore the routes as it would, and the twin looks for better ones.

--on-packets then carries the situation with the best routes out in a lab of its own, in about a
minute, and sets what is measured on packets beside what was predicted.

--sweep ranks all failures by the damage that they would do: by what is lost, then by how full the
busiest link is.

examples:
  twinbed whatif high-load --fail s3-s9
  twinbed whatif runs/20260105-101500-high-load-twin --scale 1.5 --add-link s2-s9=20,5
  twinbed whatif network-failure --sweep n-2
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
from rich.markup import escape
from rich.table import Table

from cli.arguments import read_seed
from cli.errors import UserError
from cli.execution import DEFAULT_OUT, as_user_errors, playbook_file
from cli.output import messages, print_json, results
from cli.progress import RunProgress
from cli.runs import is_running, named_run, refuse_without_controller, running_lab
from cli.way_words import in_words
from cli.whatif_on_packets import Confirmation, confirm, confirmation_table
from cli.whatif_words import add_scenario_arguments, scenario_of
from generators.schedule import ScheduleFileError
from playbooks.situations import NoSituationError, Pictured, When, of_playbook, of_run
from playbooks.stored_calibration import stored_calibration
from topologies.model import Ways
from twin.candidates import routing_after
from twin.residual import Residual
from twin.situation import Scenario, Situation, after, all_failures
from twin.whatif import Outcome, Rerouting, predict, rank, reroute

_SHOWN = 15
_AT_ONCE = {"n-1": 1, "n-2": 2}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "what",
        metavar="WHAT",
        help="a run's directory, the id of one that `twinbed ps` shows, or a playbook",
    )
    parser.add_argument(
        "--at",
        type=_when,
        metavar="S|busiest",
        help="S seconds into the traffic, or the interval with most traffic (default: that; of a "
        "run that is still running, the last interval that is complete)",
    )
    parser.add_argument(
        "--sweep",
        choices=tuple(_AT_ONCE),
        help="rank every failure of a link or switch (n-1), or of two links (n-2)",
    )
    parser.add_argument(
        "--seed", type=read_seed, default=1, metavar="N", help="of a playbook; default: 1"
    )
    parser.add_argument(
        "--history", type=Path, metavar="FILE", help="of a playbook, as in `twinbed run`"
    )
    parser.add_argument(
        "--on-packets",
        action="store_true",
        help="carry the answer out in a lab of its own, and set what is measured beside it",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=DEFAULT_OUT,
        metavar="DIR",
        help="folder for the directory of that lab (default: runs)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    add_scenario_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Ask, and say what the model answers."""
    if arguments.sweep and arguments.on_packets:
        raise UserError("--on-packets: only one situation at a time, not a --sweep")
    confirmed: Confirmation | None = None
    with as_user_errors(), RunProgress(messages).shown() as progress:
        progress.label(f"whatif {arguments.what}")
        calibration = stored_calibration()
        pictured = _pictured(arguments, progress)
        scenario = scenario_of(arguments, pictured.situation.topology)
        if arguments.sweep:
            progress.step("trying every failure")
            document, tables = _sweep(pictured, scenario, _AT_ONCE[arguments.sweep], calibration)
        else:
            progress.step("looking for better routes")
            then = after(pictured.situation, scenario)
            better = reroute(then, pictured.correction, calibration)
            document, tables = _answer(pictured, then, better, calibration)
        if arguments.on_packets:
            candidate = replace(then, routing=routing_after(then.routing, better.moves))
            confirmed = confirm(
                candidate, better.outcome, Path(arguments.what).stem, arguments.out, progress
            )
            document["on_packets"] = confirmed
            tables.append(confirmation_table(confirmed))
    if arguments.json:
        print_json({"source": pictured.source, "gaps": pictured.gaps, **document})
    else:
        results.print(f"{escape(pictured.source)}: {_traffic(pictured)}", highlight=False)
        for table in tables:
            results.print()
            results.print(table)
    return 3 if confirmed is not None and confirmed.verdict == "invalid" else 0


def _pictured(arguments: argparse.Namespace, progress: RunProgress) -> Pictured:
    path = Path(arguments.what)
    try:
        if path.is_dir() or is_running(arguments.what):
            run_dir = named_run(arguments.what)
            refuse_without_controller(run_dir, "measured matrix to ask about (ask its playbook)")
            now: When = "newest" if running_lab(run_dir) is not None else "busiest"
            return of_run(run_dir, now if arguments.at is None else arguments.at)
        file = playbook_file(arguments.what)
        when: When = "busiest" if arguments.at is None else arguments.at
        return of_playbook(file, arguments.seed, arguments.history, when, progress.step)
    except NoSituationError as error:
        raise UserError(str(error)) from error
    except FileNotFoundError as error:
        name = Path(error.filename).name
        raise UserError(f"{path} has no {name}: give the directory of a run") from error
    except (msgspec.DecodeError, ScheduleFileError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def _when(word: str) -> When:
    if word == "busiest":
        return "busiest"
    try:
        at_s = float(word)
    except ValueError:
        at_s = math.nan
    if not math.isfinite(at_s):
        raise argparse.ArgumentTypeError(f"{word!r}: give seconds into the traffic, or busiest")
    return at_s


def _traffic(pictured: Pictured) -> str:
    od_bps = pictured.situation.od_bps
    said = [f"{int((od_bps > 0).sum())} pairs send {od_bps.sum() / 1e6:.3g} Mbit/s"]
    if pictured.gaps:
        said.append(f"{pictured.gaps} of them as last counted")
    if worse := sorted("-".join(ends) for ends in pictured.situation.shapes):
        said.append(f"not as configured: {', '.join(worse)}")
    if down := sorted({"-".join(sorted(hop)) for hop in pictured.situation.down}):
        said.append(f"down already: {', '.join(down)}")
    return "; ".join(said)


# --- one scenario ---------------------------------------------------------------------------------


def _answer(
    pictured: Pictured, then: Situation, better: Rerouting, calibration: Residual | None
) -> tuple[dict[str, Any], list[Table]]:
    outcome_now = predict(pictured.situation, pictured.correction, calibration)
    outcome = predict(then, pictured.correction, calibration)
    document = {
        "now": outcome_now,
        "then": outcome,
        "rerouted": better.outcome,
        "moves": _moves(then.routing, better),
        "optimum": better.optimum,
    }
    columns = {"now": outcome_now, "then": outcome}
    if better.moves:
        columns["then, rerouted"] = better.outcome
    tables = [_outcomes(columns, better.optimum)]
    if outcome.hot_links:
        tables.append(_hot(outcome, better.outcome))
    if better.moves:
        tables.append(_moves_table(_moves(then.routing, better)))
    return document, tables


def _moves(routing: Ways, better: Rerouting) -> list[dict[str, Any]]:
    return [
        {"src": pair[0], "dst": pair[1], "from": routing.get(pair), "to": path}
        for pair, path in better.moves.items()
    ]


def _outcomes(columns: Mapping[str, Outcome], optimum: float) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for heading in columns:
        table.add_column(heading, justify="right")
    rows = {
        "busiest link": [f"{100 * o.max_utilisation:.0f} %" for o in columns.values()],
        "delay, mean over the traffic": [_mean(o) for o in columns.values()],
        "delay, p95 of all packets": [_slow(o) for o in columns.values()],
        "lost": [_lost(o) for o in columns.values()],
        "delivered": [f"{o.delivered_bps / 1e6:.3g} Mbit/s" for o in columns.values()],
        "pairs cut off": [str(len(o.cut_off)) for o in columns.values()],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    table.caption = f"no routing could keep the busiest link below {100 * optimum:.0f} %"
    if any(outcome.intervals for outcome in columns.values()):
        table.caption += "\nin brackets: where packets would lie 9 times in 10, by the calibration"
    table.caption_justify = "left"
    return table


def _mean(outcome: Outcome) -> str:
    bounds_ms = outcome.intervals.mean_delay_ms if outcome.intervals else None
    return f"{outcome.mean_delay_ms:.1f} ms{_within(bounds_ms, '.1f')}"


def _slow(outcome: Outcome) -> str:
    bounds_ms = outcome.intervals.p95_delay_ms if outcome.intervals else None
    return f"{outcome.p95_delay_ms:.1f} ms{_within(bounds_ms, '.1f')}"


def _lost(outcome: Outcome) -> str:
    bounds = outcome.intervals.loss_percent if outcome.intervals else None
    return f"{outcome.loss_percent:.3g} %{_within(bounds, '.3g')}"


def _within(bounds: tuple[float, float] | None, form: str) -> str:
    return f"\n({bounds[0]:{form}} to {bounds[1]:{form}})" if bounds else ""


def _hot(outcome: Outcome, rerouted: Outcome) -> Table:
    later = {hot.link: hot.utilisation for hot in rerouted.hot_links}
    table = Table("hot link", box=None, pad_edge=False)
    table.add_column("then", justify="right")
    table.add_column("rerouted", justify="right")
    for hot in outcome.hot_links[:_SHOWN]:
        cool = f"{100 * later[hot.link]:.0f} %" if hot.link in later else "not hot"
        table.add_row(" → ".join(hot.link), f"{100 * hot.utilisation:.0f} %", cool)
    return table


def _moves_table(moves: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(f"{len(moves)} pairs to move", "from", "to", box=None, pad_edge=False)
    for move in moves[:_SHOWN]:
        before = escape(in_words(move["from"])) if move["from"] else "cut off"
        after_it = escape(in_words(move["to"]))
        table.add_row(f"{move['src']} → {move['dst']}", before, after_it)
    if len(moves) > _SHOWN:
        table.caption = f"and {len(moves) - _SHOWN} more: --json names them all"
    return table


# --- every failure --------------------------------------------------------------------------------


def _sweep(
    pictured: Pictured, scenario: Scenario, at_once: int, calibration: Residual | None
) -> tuple[dict[str, Any], list[Table]]:
    situation = after(pictured.situation, scenario)
    ranked = rank(
        situation,
        all_failures(situation.topology, at_once),
        pictured.correction,
        calibration,
    )
    document = {
        "now": predict(situation, pictured.correction, calibration),
        "failures": [{"fails": _victims(one), "then": outcome} for one, outcome in ranked],
    }
    table = Table(f"worst of {len(ranked)} failures", box=None, pad_edge=False)
    for heading in ("lost", "pairs cut off", "busiest link", "delay, mean"):
        table.add_column(heading, justify="right")
    for one, outcome in ranked[:_SHOWN]:
        table.add_row(
            ", ".join(_victims(one)),
            f"{outcome.loss_percent:.3g} %",
            str(len(outcome.cut_off)),
            f"{100 * outcome.max_utilisation:.0f} %",
            f"{outcome.mean_delay_ms:.1f} ms",
        )
    return document, [table]


def _victims(scenario: Scenario) -> list[str]:
    return ["-".join(link) for link in scenario.fail_links] + list(scenario.fail_switches)

"""What the reports draw: the network, the course of a run, its outages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from markupsafe import Markup

from results.analysis import STEP_S
from results.charts import Bar, Marker, Series, bar_chart, line_chart
from results.fault_events import BEGINS, KIND_OF
from results.run_directory import Event
from results.summary import ReportedRun, Summary
from results.tables import value_text
from results.timeline import ended_s
from topologies.drawing import svg
from topologies.model import DirectedLink, Topology

MAX_BARS = 40
"""So many outages are drawn, the longest ones."""


@dataclass(frozen=True)
class Chart:
    """A drawn chart with its title and legend."""

    title: str
    legend: Sequence[Series]
    drawing: Markup


@dataclass(frozen=True)
class _Plan:
    """What a chart shows."""

    title: str
    unit: str
    series: Sequence[Series]
    reference: float | None = None


def run_charts(run: ReportedRun) -> list[Chart]:
    """Return the course of one run, as far as it was recorded."""
    plans = chain(_run_plans(run.summary.details), _model_plans(run))
    return _drawn(plans, _markers(run))


def comparison_charts(before: ReportedRun, after: ReportedRun) -> list[Chart]:
    """Return the course of two runs over each other; what was done to both is marked."""
    events = [marker for marker in _markers(after) if marker.style == "event"]
    return _drawn(_comparison_plans(before.summary, after.summary), events)


def _drawn(plans: Iterable[_Plan], markers: Sequence[Marker]) -> list[Chart]:
    charts = (
        Chart(
            plan.title,
            plan.series,
            Markup(line_chart(plan.series, STEP_S, plan.unit, markers, reference=plan.reference)),
        )
        for plan in plans
    )
    return [chart for chart in charts if chart.drawing]


def _run_plans(details: Mapping[str, Any]) -> Iterator[_Plan]:
    def series(*named: tuple[str, str, tuple[str, ...]]) -> list[Series]:
        return _present((label, _at(details, path), style) for label, style, path in named)

    yield _Plan(
        "One-way latency of the workload",
        "ms",
        series(
            ("p95", "a", ("series", "latency_ms", "p95")),
            ("median", "c", ("series", "latency_ms", "p50")),
        ),
    )
    yield _Plan(
        "Traffic",
        "Mbit/s",
        series(
            ("requested", "muted", ("series", "requested_mbps")),
            ("delivered", "a", ("series", "goodput_mbps")),
            ("attack received", "b", ("attack_mbps_over_time",)),
        ),
    )
    yield _Plan(
        "Busiest link", "of its rate", series(("utilisation", "a", ("mlu_over_time",))), 1.0
    )
    yield _Plan(
        "Routing against the best possible one",
        "x optimum",
        series(("offered load of the busiest link / optimum", "a", ("te_ratio_over_time",))),
        1.0,
    )


def _model_plans(run: ReportedRun) -> Iterator[_Plan]:
    """How wrong the model was, and what it believed of links that are not as configured."""
    details, named = run.summary.details, labels(run.topology)
    error = _present([("mean over links", _at(details, ("model_error_over_time",)), "a")])
    yield _Plan("Error of the model, in what links carry", "%", error)
    delays, loads = (_at(details, ("foreseen", name)) for name in ("delay_ms", "load_mbps"))
    yield _Plan("Mean delay of the probed pairs, by the model and by probes", "ms", _both(delays))
    if loads:
        link = " → ".join(named[end] for end in loads["busiest"])
        yield _Plan(f"Load of {link}, forecast an interval ahead", "Mbit/s", _both(loads))
    ages = _present([("p95", _at(details, ("staleness_ms_over_time",)), "a")])
    yield _Plan("Age of the newest counter in the twin", "ms", ages)
    for one in details.get("capacities", []):
        title = f"What {named[one['from']]} → {named[one['to']]} can carry"
        believed = [("real", one["real_mbps"], "muted"), ("believed", one["believed_mbps"], "a")]
        yield _Plan(title, "Mbit/s", _present(believed))


def _both(foreseen: Mapping[str, Any] | None) -> list[Series]:
    return _present(
        (name, _at(foreseen or {}, (name,)), style)
        for name, style in (("measured", "muted"), ("predicted", "a"))
    )


def _comparison_plans(before: Summary, after: Summary) -> Iterator[_Plan]:
    def both(*path: str) -> list[Series]:
        sides = ((before, "b"), (after, "a"))
        return _present((one.under, _at(one.details, path), style) for one, style in sides)

    requested = _at(after.details, ("series", "requested_mbps"))
    traffic = [*_present([("requested", requested, "muted")]), *both("series", "goodput_mbps")]
    yield _Plan("One-way latency of the workload, p95", "ms", both("series", "latency_ms", "p95"))
    yield _Plan("Delivered traffic", "Mbit/s", traffic)
    yield _Plan("Attack traffic at the victim", "Mbit/s", both("attack_mbps_over_time"))
    yield _Plan("Busiest link", "of its rate", both("mlu_over_time"), 1.0)
    yield _Plan(
        "Routing against the best possible one", "x optimum", both("te_ratio_over_time"), 1.0
    )


def _present(series: Iterable[tuple[str, Sequence[float | None] | None, str]]) -> list[Series]:
    return [Series(label, values, style) for label, values, style in series if values]


def _at(document: Mapping[str, Any], path: Iterable[str]) -> Any:
    value: Any = document
    for name in path:
        value = value.get(name) if value else None
    return value


def _markers(run: ReportedRun) -> list[Marker]:
    """Return what the timeline and the twin did, for people; what lasts spans up to its end."""
    details, named = run.summary.details, labels(run.topology)
    events = [Event(**event) for event in details.get("events", [])]
    markers = [
        *(
            Marker(one["t_s"], f"alarm for {named.get(one['victim'], one['victim'])}", style="act")
            for one in details.get("alarms", [])
        ),
        *(
            Marker(one["t_s"], f"{len(one['moves'])} moved", style="act")
            for one in details.get("decisions", [])
        ),
    ]
    for event in events:
        t_s, detail = event.t_s, event.detail
        match event.event:
            case "link-down" | "link-up" as name:
                label = f"{_subject(detail, named)} {name.removeprefix('link-')}"
                markers.append(Marker(t_s, label))
            case name if name in KIND_OF and name == BEGINS[KIND_OF[name]]:
                kind = KIND_OF[name]
                label = f"{kind}: {_subject(detail, named)}"
                markers.append(Marker(t_s, label, ended_s(event, events)))
            case "control-outage-start":
                label = f"no counters from {named[detail['switch']]}"
                markers.append(Marker(t_s, label, ended_s(event, events)))
            case "controller-crash":
                markers.append(Marker(t_s, "controller dead", ended_s(event, events)))
            case "twin-crash":
                markers.append(Marker(t_s, "twin dead", ended_s(event, events)))
            case "flood-start":
                label = f"flood on {named[detail['victim']]}"
                markers.append(Marker(t_s, label, ended_s(event, events)))
    return markers


def _subject(detail: Mapping[str, Any], named: Mapping[str, str]) -> str:
    """What a fault is about, for people."""
    if "from" in detail:
        a, b = detail["link"]
        receiver = b if detail["from"] == a else a
        return f"{named[detail['from']]} → {named[receiver]}"
    if "link" in detail:
        return " – ".join(named[switch] for switch in detail["link"])
    return named[detail["switch"] if "switch" in detail else detail["host"]]


def labels(topology: Topology) -> dict[str, str]:
    """Return the names for people of all switches and hosts."""
    switches = {switch.name: switch.label for switch in topology.switches}
    return switches | {host.name: host.label for host in topology.hosts}


def networks(run: ReportedRun, *, small: bool = False) -> list[tuple[str, Markup]]:
    """Return the network with its loads, once for each time between failures, each with a caption.

    Two stand side by side if `small`, or if there are several.
    """
    spans = run.summary.details.get("links_by_span", [])
    width_px = 500 if small or len(spans) > 1 else 760
    if not spans:
        return [("no counters", Markup(svg(run.topology, width_px=width_px)))]
    named = labels(run.topology)
    return [
        (_span_caption(span, named), Markup(svg(run.topology, _loads(span), width_px)))
        for span in spans
    ]


def _loads(span: Mapping[str, Any]) -> dict[DirectedLink, float]:
    return {(link["from"], link["to"]): link["mean"] for link in span["links"]}


def _span_caption(span: Mapping[str, Any], named: Mapping[str, str]) -> str:
    time = f"{span['start_s']:.0f} to {span['end_s']:.0f} s"
    dead = {(a, b) for a, b in span["down"]}
    down = [f"{named[a]} – {named[b]}" for a, b in sorted(dead) if a < b and (b, a) in dead]
    silent = [f"{named[a]} → {named[b]}" for a, b in sorted(dead) if (b, a) not in dead]
    return ", ".join([time, *([f"{', '.join(down + silent)} down"] if down or silent else [])])


def busiest(run: ReportedRun, most: int = 8) -> list[Mapping[str, Any]]:
    """Return the links with the highest load, by their switches' labels."""
    named = labels(run.topology)
    links = sorted(run.summary.details.get("links", []), key=lambda link: -link["p95"])
    return [{**link, "from": named[link["from"]], "to": named[link["to"]]} for link in links[:most]]


def outage_chart(run: ReportedRun, up_to_ms: float = 0.0) -> Markup:
    """Return the longest outages of a run as bars, on a scale of at least `up_to_ms`."""
    outages = run.summary.details.get("outages", [])
    named = labels(run.topology)
    longest = sorted(outages, key=lambda one: -one["outage_ms"])[:MAX_BARS]
    bars = [_outage_bar(outage, named) for outage in longest]
    return Markup(bar_chart(bars, "ms", "Outages by host pair", up_to_ms))


def longest_outage_ms(run: ReportedRun) -> float:
    """Return the length of the longest outage, 0 without any."""
    outages = run.summary.details.get("outages", [])
    return max((float(outage["outage_ms"]) for outage in outages), default=0.0)


def _outage_bar(outage: Mapping[str, Any], named: Mapping[str, str]) -> Bar:
    end = outage["first_good_ms"] if outage["recovered"] else outage["outage_ms"]
    steps = (("detected_ms", "detected"), ("applied_ms", "applied"))
    length = value_text(outage["outage_ms"], "ms")
    return Bar(
        label=f"{' ↔ '.join(named[host] for host in outage['pair'])} ({outage['kind']})",
        start=end - outage["outage_ms"],
        end=end,
        open_ended=not outage["recovered"],
        text=length if outage["recovered"] else f"> {length}, not recovered",
        instants=tuple(
            (outage[key], kind, f"{kind} {outage[key]:.1f} ms after the fault")
            for key, kind in steps
            if outage[key] is not None
        ),
    )

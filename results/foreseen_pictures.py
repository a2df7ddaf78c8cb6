"""What a report draws of the twin's foresight: scatters, accuracy per link, gains of reroutes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from results.charts import Bar, bar_chart
from results.pictures import Chart, labels
from results.scatter import scatter_chart
from results.summary import ReportedRun

_SCATTERS = (
    ("delay_ms", "Delay of each pair and interval: model against probes", "ms"),
    ("load_mbps", "Load of each link and interval: forecast against ports", "Mbit/s"),
)


def scatters(run: ReportedRun) -> list[Chart]:
    """Return what was predicted against what was measured, as far as it was."""
    foreseen = run.summary.details.get("foreseen", {})
    return [
        Chart(title, (), Markup(scatter_chart(foreseen[quantity]["points"], unit, title)))
        for quantity, title, unit in _SCATTERS
        if quantity in foreseen
    ]


def link_accuracy_chart(run: ReportedRun) -> Markup:
    """Return how well the load of every link was forecast, as bars, the worst first."""
    loads = run.summary.details.get("foreseen", {}).get("load_mbps", {})
    known = [one for one in loads.get("accuracy", ()) if one["percent"] is not None]
    named = labels(run.topology)
    bars = [
        Bar(
            label=f"{named[one['from']]} → {named[one['to']]}",
            start=0.0,
            end=max(0.0, one["percent"]),
            open_ended=False,
            text=f"{one['percent']:.1f} %",
        )
        for one in sorted(known, key=lambda one: one["percent"])
    ]
    return Markup(bar_chart(bars, "%", "Accuracy of the forecast by link", up_to=100.0))


def gains_chart(run: ReportedRun) -> Markup:
    """Return the gain that each decision expected as a bar, with the real one marked in it."""
    decisions = run.summary.details.get("decisions", [])
    bars = [bar for one in decisions for bar in _gain_bars(one)]
    return Markup(bar_chart(bars, "points", "Gains of the decisions"))


def _gain_bars(decision: Mapping[str, Any]) -> Iterator[Bar]:
    """None for a decision of which nothing was measured."""
    if decision["measured_mlu"] is None:
        return
    before = decision["predicted_mlu_before"]
    expected = 100 * (before - decision["predicted_mlu_after"])
    real = 100 * (before - decision["measured_mlu"])
    yield Bar(
        label=f"{decision['t_s']:.1f} s, {decision['reason']}",
        start=min(0.0, expected),
        end=max(0.0, expected),
        open_ended=False,
        text=f"{real:+.0f} of {expected:+.0f}",
        instants=((real, "real", f"really {real:+.1f} points"),),
    )

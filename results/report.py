"""The HTML reports: one file each, without script or external resource, for light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from results import foreseen_pictures, pictures, tables
from results.comparison import FIGURES, Comparison, compare, metric_value
from results.summary import ReportedRun, Summary
from results.tables import value_text

TILES = (
    "latency_ms.p95",
    "error_rate_percent",
    "goodput_mbps",
    "utilisation_percent",
    "outage_ms.p50",
    "detection_s",
    "goodput_restored_s",
    "predictive_accuracy_percent",
)
"""The figures that a report opens with, as far as they were measured."""


def run_report(run: ReportedRun) -> str:
    """Return the HTML page of one run."""
    summary = run.summary
    return render(
        "run.html.j2",
        title=f"{summary.playbook} · {summary.under}",
        run=run,
        tiles=_tiles(summary),
        charts=pictures.run_charts(run),
        networks=pictures.networks(run),
        busiest=pictures.busiest(run),
        outages=pictures.outage_chart(run),
        scatters=foreseen_pictures.scatters(run),
        link_accuracy=foreseen_pictures.link_accuracy_chart(run),
        gains=foreseen_pictures.gains_chart(run),
        metrics=[(name, _metric_text(value)) for name, value in summary.metrics.items()],
        labels=pictures.labels(run.topology),
        clock=_clock,
    )


def comparison_report(before: Sequence[ReportedRun], after: Sequence[ReportedRun]) -> str:
    """Return the HTML page that compares two policies; drawn are the first runs of each playbook.

    Raises:
        ValueError: there is nothing to compare.
    """
    comparison = compare([run.summary for run in before], [run.summary for run in after])
    return render(
        "comparison.html.j2",
        title=f"{comparison.before} against {comparison.after}",
        comparison=comparison,
        scenarios=[
            _scenario(name, comparison, _first(before, name), _first(after, name))
            for name in comparison.scenarios
        ],
        runs=[*before, *after],
        text=tables,
    )


def render(template: str, **context: Any) -> str:
    """Return the page of a template of this folder."""
    return _templates().get_template(template).render(context)


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("results"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _first(runs: Iterable[ReportedRun], playbook: str) -> ReportedRun:
    return next(run for run in runs if run.summary.playbook == playbook)


def _scenario(
    name: str, comparison: Comparison, before: ReportedRun, after: ReportedRun
) -> dict[str, Any]:
    runs = (before, after)
    longest_ms = max(pictures.longest_outage_ms(run) for run in runs)
    return {
        "name": name,
        "rows": [row for row in comparison.rows if row.scenario == name],
        "charts": pictures.comparison_charts(before, after),
        "networks": [
            (f"{run.summary.under}, {caption}", network)
            for run in runs
            for caption, network in pictures.networks(run, small=True)[-1:]
        ],
        "outages": [
            (run.summary.under, chart)
            for run in runs
            if (chart := pictures.outage_chart(run, longest_ms))
        ],
    }


def _tiles(summary: Summary) -> list[tuple[str, str, str]]:
    """Return label, value and unit of the leading figures."""
    by_metric = {figure.metric: figure for figure in FIGURES}
    values = ((by_metric[name], metric_value(summary.metrics, name)) for name in TILES)
    texts = [(one.label, value_text(value, one.unit)) for one, value in values if value is not None]
    return [(label, text.partition(" ")[0], text.partition(" ")[2]) for label, text in texts]


def _metric_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_metric_text(part)}" for name, part in value.items())
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _clock(t_s: float) -> str:
    return f"{t_s:.2f} s"

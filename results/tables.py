"""Figures as text and as tables for terminals."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from results.comparison import FIGURES, Comparison, Estimate, Row, labelled, metric_value
from results.summary import Summary
from results.validity import worst
from testbed.modes import is_mode

_LONG_MS = 10e3
"""Times from here on are given in seconds."""

_VERDICTS = {"valid": "valid", "degraded": "[yellow]DEGRADED[/]", "invalid": "[red]INVALID[/]"}
_COLOURS = {True: "green", False: "red", None: "default"}


def comparison_table(comparison: Comparison) -> Table:
    """Return the comparison for a terminal, in the manner of the paper's Tables I and II."""
    table = Table(
        box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, caption=_caption(comparison)
    )
    table.caption_justify = "left"
    table.add_column("", no_wrap=True)
    for heading in (
        "paper:\nbefore → after",
        f"before:\n{_in_lines(comparison.before)}",
        f"after:\n{_in_lines(comparison.after)}",
        "\nchange",
    ):
        table.add_column(heading, justify="right")
    for scenario in comparison.scenarios:
        rows = [row for row in comparison.rows if row.scenario == scenario]
        verdict = worst(row.verdict for row in rows)
        table.add_row(f"[bold]{scenario}[/] ({_VERDICTS[verdict]})")
        for row in rows:
            table.add_row(
                f"  {row.label}",
                paper_text(row),
                estimate_text(row.before, row.figure.unit),
                estimate_text(row.after, row.figure.unit),
                f"[{_COLOURS[row.better]}]{change_text(row)}[/]",
            )
        table.add_section()
    return table


def _in_lines(side: str) -> str:
    """Room for it in 80 columns: rich breaks at blanks alone, and cuts off what is longer."""
    return side.replace("-", "-\n")


def figures_table(summary: Summary) -> Table:
    """Return the figures of one run for a terminal."""
    caption = "\n".join(_complaints(summary.reasons, summary.warnings)) or None
    title = f"{summary.playbook} under {summary.under} ({_VERDICTS[summary.verdict]})"
    table = Table(box=SIMPLE_HEAD, pad_edge=False, caption=caption, caption_justify="left")
    table.add_column(title, no_wrap=True)
    table.add_column("", justify="right")
    for figure in FIGURES:
        value = metric_value(summary.metrics, figure.metric)
        if value is not None:
            table.add_row(labelled(figure, [summary]), value_text(value, figure.unit))
        elif figure.of_twin and is_mode(summary.policy):
            table.add_row(figure.label, estimate_text(None, figure.unit))
    return table


def value_text(value: float, unit: str) -> str:
    """Return a value with three significant digits and its unit; long times in seconds."""
    if not unit and value == int(value):
        return f"{value:,.0f}"
    if unit == "ms" and abs(value) >= _LONG_MS:
        value, unit = value / 1e3, "s"
    digits = 0 if value == 0 else math.floor(math.log10(abs(value)))
    return f"{value:,.{min(3, max(0, 2 - digits))}f} {unit}".rstrip()


def estimate_text(estimate: Estimate | None, unit: str) -> str:
    """Return a mean, with its confidence interval if there is one; a dash without any."""
    if estimate is None:
        return "–"
    text = value_text(estimate.mean, unit)
    if estimate.half_width is None:
        return text
    return f"{text} ± {value_text(estimate.half_width, unit).split()[0]}"


def paper_text(row: Row) -> str:
    """Return the paper's figures for a row, before and after; a dash where it has none."""
    if row.paper is None:
        return "–"
    before, after, unit = row.paper.before, row.paper.after, row.figure.unit
    if unit == "ms" and before >= _LONG_MS:
        before, after, unit = before / 1e3, after / 1e3, "s"
    return f"{before:g} → {after:g} {unit}"


def change_text(row: Row) -> str:
    """Return the change with its sign, of a value that was 0 in its unit; a dash without any."""
    change = row.change_percent
    if change is not None:
        return f"{change:+.1f} pt" if row.figure.in_points else f"{change:+.0f} %"
    if not row.difference:
        return "–"
    unit = "pt" if row.figure.unit == "%" else row.figure.unit
    return f"{'+' if row.difference > 0 else ''}{value_text(row.difference, unit)}"


def _caption(comparison: Comparison) -> str | None:
    runs = max((e.runs for row in comparison.rows for e in (row.before, row.after) if e), default=1)
    lines = _complaints(comparison.reasons, comparison.warnings)
    if runs > 1:
        lines.append(f"means of up to {runs} runs with 95 % confidence intervals")
    return "\n".join(lines) or None


def _complaints(reasons: Iterable[str], warnings: Iterable[str]) -> list[str]:
    return [
        *(f"invalid: {escape(reason)}" for reason in reasons),
        *(f"degraded: {escape(warning)}" for warning in warnings),
    ]

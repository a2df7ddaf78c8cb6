"""Before and after: the same playbooks under two policies, beside the paper's own figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import t as student_t

from results.summary import Summary
from results.validity import Level, worst

CONFIDENCE = 0.95

UNCHANGED_PERCENT = 0.5
"""A smaller change is neither better nor worse."""


@dataclass(frozen=True)
class PaperFigure:
    """What the paper reports of its simulation, without and with the digital twin."""

    before: float
    after: float
    source: str


@dataclass(frozen=True)
class Figure:
    """A metric that is compared: a path into `Summary.metrics`, and how to read it."""

    metric: str
    label: str
    unit: str
    higher_is_better: bool = False
    in_points: bool = False
    """The change is a difference of percentages, not relative."""
    of_twin: bool = False
    """Only a run with a twin has it."""


FIGURES = (
    Figure("latency_ms.mean", "latency, mean", "ms"),
    Figure("latency_ms.p95", "latency, p95", "ms"),
    Figure("error_rate_percent", "error rate", "%"),
    Figure("packets_lost", "packets lost", ""),
    Figure("goodput_mbps", "goodput", "Mbit/s", higher_is_better=True),
    Figure("utilisation_percent", "utilisation", "%", higher_is_better=True, in_points=True),
    Figure("tcp_delivered_percent", "TCP, of what was asked", "%", True, in_points=True),
    Figure("te_ratio.mean", "busiest link / optimum", "x"),
    Figure("outage_ms.p50", "outage, median", "ms"),
    Figure("outage_ms.max", "outage, longest", "ms"),
    Figure("detection_s", "detection", "s"),
    Figure("mitigation_s", "mitigation", "s"),
    Figure("goodput_restored_s", "goodput restored after", "s"),
    Figure("goodput_restored_percent", "goodput under attack", "%", True, in_points=True),
    Figure("false_alarms", "false alarms", "", of_twin=True),
    Figure(
        "predictive_accuracy_percent",
        "predictive accuracy",
        "%",
        True,
        in_points=True,
        of_twin=True,
    ),
    Figure(
        "persistence_accuracy_percent",
        "persistence's accuracy",
        "%",
        True,
        in_points=True,
        of_twin=True,
    ),
    Figure("predictive_skill", "predictive skill", "", higher_is_better=True, of_twin=True),
    Figure("twin_latency_mape_percent", "twin's delay error", "%", of_twin=True),
    Figure("model_error_percent.begin", "model's error, first 5 s", "%", of_twin=True),
    Figure("model_error_percent.end", "model's error, last 5 s", "%", of_twin=True),
    Figure("staleness_ms.p95", "staleness, p95", "ms"),
    Figure("replay_wape_percent", "replay error", "%"),
)

_GENERAL = "the paper, Table I"
_SCENARIOS = "the paper, Table II"

PAPER: Mapping[tuple[str, str], PaperFigure] = {
    ("", "latency_ms.mean"): PaperFigure(100.0, 70.0, _GENERAL),
    ("", "utilisation_percent"): PaperFigure(75.0, 90.0, _GENERAL),
    ("", "error_rate_percent"): PaperFigure(5.0, 1.5, _GENERAL),
    ("", "predictive_accuracy_percent"): PaperFigure(80.0, 95.0, _GENERAL),
    ("high-load", "latency_ms.mean"): PaperFigure(120.0, 80.0, _SCENARIOS),
    ("network-failure", "outage_ms.p50"): PaperFigure(300e3, 100e3, _SCENARIOS),
    ("security-breach", "detection_s"): PaperFigure(60.0, 15.0, _SCENARIOS),
}
"""By scenario (empty: any) and metric. All of them simulated."""


@dataclass(frozen=True)
class Estimate:
    """A mean over runs, with the half width of its 95 % confidence interval."""

    mean: float
    half_width: float | None
    """None for a single run."""
    runs: int


@dataclass(frozen=True)
class Row:
    """One metric of one scenario on both sides."""

    scenario: str
    figure: Figure
    paper: PaperFigure | None
    before: Estimate | None
    after: Estimate | None
    verdict: Level
    """The worst of all runs of the scenario."""
    label: str
    """What is compared; of a recovery, with the kinds of fault that it is about."""

    @property
    def difference(self) -> float | None:
        """After minus before; None if a side was not measured."""
        if self.before is None or self.after is None:
            return None
        return self.after.mean - self.before.mean

    @property
    def change_percent(self) -> float | None:
        """Of the value before, or in points for shares; None if that value is 0, or not known."""
        if self.before is None or self.difference is None or self.figure.in_points:
            return self.difference
        return 100.0 * self.difference / abs(self.before.mean) if self.before.mean else None

    @property
    def better(self) -> bool | None:
        """Whether the change is for the better; None without one worth the name."""
        change = self.change_percent
        if not self.difference or (change is not None and abs(change) < UNCHANGED_PERCENT):
            return None
        return (self.difference > 0) == self.figure.higher_is_better


@dataclass(frozen=True)
class Comparison:
    """The rows of all scenarios, in the order in which they were played."""

    before: str
    """Policy and protection."""
    after: str
    rows: tuple[Row, ...]
    reasons: tuple[str, ...]
    """Why a run is invalid, or the sides are not alike."""
    warnings: tuple[str, ...]
    """Why a run is degraded."""

    @property
    def valid(self) -> bool:
        """Nothing speaks against it."""
        return not self.reasons

    @property
    def verdict(self) -> Level:
        """Of the comparison as a whole."""
        if self.reasons:
            return "invalid"
        return "degraded" if self.warnings else "valid"

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The playbooks compared."""
        return tuple(dict.fromkeys(row.scenario for row in self.rows))

    def document(self) -> dict[str, Any]:
        """Return the comparison as plain values."""
        return {
            "before": self.before,
            "after": self.after,
            "verdict": self.verdict,
            "valid": self.valid,
            "reasons": list(self.reasons),
            "warnings": list(self.warnings),
            "rows": [_row_document(row) for row in self.rows],
        }


def compare(before: Sequence[Summary], after: Sequence[Summary]) -> Comparison:
    """Compare runs under two policies, one or more a side (several seeds) of each playbook.

    Raises:
        ValueError: a side is empty, or the sides have no playbook in common.
    """
    sides = (before, after)
    common = [
        playbook
        for playbook in dict.fromkeys(summary.playbook for summary in before)
        if any(summary.playbook == playbook for summary in after)
    ]
    if not common:
        played = " against ".join(", ".join(sorted({s.playbook for s in side})) for side in sides)
        raise ValueError(f"there is no playbook on both sides ({played or 'no runs'})")
    return Comparison(
        before=_side(before),
        after=_side(after),
        rows=tuple(row for playbook in common for row in _rows(playbook, before, after)),
        reasons=(
            *(f"{run.run}: {reason}" for run in (*before, *after) for reason in run.reasons),
            *(unlike for playbook in common for unlike in _unlike(playbook, before, after)),
        ),
        warnings=tuple(
            f"{run.run}: {warning}" for run in (*before, *after) for warning in run.warnings
        ),
    )


def estimate(values: Sequence[float]) -> Estimate:
    """Return the mean with Student's t interval (independent, roughly normal runs)."""
    runs = len(values)
    mean = float(np.mean(values))
    if runs < 2:
        return Estimate(mean, None, runs)
    spread = float(np.std(values, ddof=1)) / np.sqrt(runs)
    return Estimate(mean, float(student_t.ppf((1 + CONFIDENCE) / 2, runs - 1) * spread), runs)


def metric_value(metrics: Mapping[str, Any], metric: str) -> float | None:
    """Return a metric by its dotted name; None if it was not measured."""
    value: Any = metrics
    for name in metric.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return None if value is None else float(value)


def labelled(figure: Figure, summaries: Iterable[Summary]) -> str:
    """The figure's label, with the kinds of fault if it is about recovering from some."""
    if not figure.metric.startswith("outage_ms"):
        return figure.label
    kinds = {kind for summary in summaries for kind in summary.details.get("outage_ms_by_kind", ())}
    return f"{figure.label} ({', '.join(sorted(kinds))})" if kinds else figure.label


def _rows(playbook: str, before: Sequence[Summary], after: Sequence[Summary]) -> Iterable[Row]:
    sides = [[s for s in side if s.playbook == playbook] for side in (before, after)]
    verdict = worst(summary.verdict for side in sides for summary in side)
    for figure in FIGURES:
        ours = [_estimate_of(side, figure) for side in sides]
        if any(ours):
            paper = PAPER.get((playbook, figure.metric)) or PAPER.get(("", figure.metric))
            label = labelled(figure, (run for side in sides for run in side))
            yield Row(playbook, figure, paper, ours[0], ours[1], verdict, label)


def _estimate_of(summaries: Iterable[Summary], figure: Figure) -> Estimate | None:
    values = [metric_value(summary.metrics, figure.metric) for summary in summaries]
    known = [value for value in values if value is not None]
    return estimate(known) if known else None


def _unlike(playbook: str, before: Sequence[Summary], after: Sequence[Summary]) -> Iterable[str]:
    seeds = [sorted(s.seed for s in side if s.playbook == playbook) for side in (before, after)]
    if seeds[0] != seeds[1]:
        yield f"{playbook}: the seeds differ ({seeds[0]} before, {seeds[1]} after)"


def _side(summaries: Iterable[Summary]) -> str:
    return ", ".join(dict.fromkeys(summary.under for summary in summaries))


def _row_document(row: Row) -> dict[str, Any]:
    return {
        "scenario": row.scenario,
        "metric": row.figure.metric,
        "unit": row.figure.unit,
        "paper": asdict(row.paper) if row.paper else None,
        "before": asdict(row.before) if row.before else None,
        "after": asdict(row.after) if row.after else None,
        "change_percent": row.change_percent,
        "better": row.better,
        "verdict": row.verdict,
        "valid": row.verdict != "invalid",
    }

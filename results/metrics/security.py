"""How an attack went: seen when, stopped when, and what became of everybody else's traffic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from generators.records import Received
from results.metrics.delivery import rates_over_time_bps
from results.timeline import FloatArray, Flood, Window
from twin.records import Alarm, TwinRecord

MITIGATED_SHARE = 0.10
"""An attack is stopped when the victim gets less than this share of the attack's peak."""

RESTORED_SHARE = 0.90
"""The workload is restored when it is delivered at this share of its level before the attack."""

RESTORED_WITHIN_S = 5.0
"""From so long after its beginning on, an attack should no longer be felt."""

CALM_BEFORE_S = 5.0
"""The level before an attack is the mean over at most so long."""

SETTLED_S = 2.0
"""The workload is restored when its level holds on average over so long."""

SMOOTHING_S = 1.0
"""Delivery is averaged over so long, which evens out how iperf's reports fall into steps."""

AFTERMATH_S = 5.0
"""An alarm naming a victim so soon after its flood ended is not a false one."""

_STEP_S = 0.25


def detection_s(twin: Iterable[TwinRecord], flood: Flood) -> float | None:
    """Return the time from the flood's start to the first alarm that names its victim."""
    for record in twin:
        if not isinstance(record, Alarm) or record.victim != flood.victim:
            continue
        if flood.start_s <= record.t_s < flood.end_s:
            return record.t_s - flood.start_s
    return None


def mitigation_s(received: Iterable[Received], flood: Flood) -> float | None:
    """Return the time until the victim got, for good, less than a tenth of the attack's peak.

    As fine as the intervals of iperf's reports, and never too early: a report counts up to its
    end. None if the rate only fell with the end of the flood, or no attack packet arrived.
    """
    reports = [r for r in received if r.attack and r.dst == flood.victim and r.packets > 0]
    window = Window(flood.start_s, flood.end_s)
    reports = [report for report in reports if window.overlap_s(report.start_s, report.end_s)]
    if not reports:
        return None
    ends_s = [edge for report in reports for edge in (report.start_s, report.end_s)]
    edges_s = np.unique(np.round(ends_s, 6))
    rates_bps = rates_over_time_bps(reports, edges_s)
    strong = np.flatnonzero(rates_bps >= MITIGATED_SHARE * rates_bps.max())
    stopped_s = float(edges_s[strong[-1] + 1])
    report_s = float(np.median([report.end_s - report.start_s for report in reports]))
    if stopped_s > flood.end_s - report_s:
        return None
    return stopped_s - flood.start_s


@dataclass(frozen=True)
class Restoration:
    """What a flood did to the delivery of the workload (delivered / asked for, by time)."""

    restored_s: float | None
    """From the flood's start until delivery was back at 90 % of its level before, and held it on
    average over the next seconds; 0 if it never fell below, None if it did not come back."""
    restored_percent: float | None
    """Mean delivery from 5 s after the start to the end of the flood, over that before it."""


def restoration(
    workload: Sequence[Received],
    asked_bps: FloatArray,
    edges_s: FloatArray,
    flood: Flood,
) -> Restoration | None:
    """Follow the workload's delivery through a flood.

    `asked_bps` is the rate the schedule asks of the whole workload between consecutive `edges_s`;
    dividing by it keeps the schedule's own ups and downs out. None if nothing was measured before
    the flood.
    """
    asked = np.maximum(asked_bps, 1.0)
    delivery = _smooth(rates_over_time_bps(workload, edges_s) / asked, edges_s)
    starts_s, ends_s = edges_s[:-1], edges_s[1:]
    calm = (starts_s >= flood.start_s - CALM_BEFORE_S) & (ends_s <= flood.start_s)
    if not calm.any() or not delivery[calm].any():
        return None
    level = delivery / delivery[calm].mean()
    after = level[starts_s >= flood.start_s]
    after_s = ends_s[starts_s >= flood.start_s] - flood.start_s
    felt = (starts_s >= flood.start_s + RESTORED_WITHIN_S) & (ends_s <= flood.end_s)
    return Restoration(
        restored_s=_back_s(after, after_s),
        restored_percent=100.0 * float(level[felt].mean()) if felt.any() else None,
    )


def delivery_edges(window: Window) -> FloatArray:
    """Return the instants between which `restoration` looks at the delivery."""
    return window.edges(_STEP_S)


@dataclass(frozen=True)
class FalseAlarms:
    """Alarms that named a host nobody was attacking."""

    count: int
    benign_hours: float

    @property
    def per_hour(self) -> float | None:
        """How many an hour of traffic without attack."""
        return self.count / self.benign_hours if self.benign_hours > 0 else None


def false_alarms(
    twin: Sequence[TwinRecord], floods: Sequence[Flood], window: Window
) -> FalseAlarms | None:
    """Count the false alarms of a window; None if no twin was watching."""
    if not twin:
        return None
    alarms = [r for r in twin if isinstance(r, Alarm) and window.holds(r.t_s)]
    wrong = [alarm for alarm in alarms if not any(_explains(flood, alarm) for flood in floods)]
    attacked_s = sum(window.overlap_s(flood.start_s, flood.end_s) for flood in floods)
    return FalseAlarms(len(wrong), max(0.0, window.duration_s - attacked_s) / 3600.0)


def _explains(flood: Flood, alarm: Alarm) -> bool:
    during = flood.start_s <= alarm.t_s <= flood.end_s + AFTERMATH_S
    return during and alarm.victim == flood.victim


def _smooth(values: FloatArray, edges_s: FloatArray) -> FloatArray:
    """Return the mean over the `SMOOTHING_S` that end with each step (fewer at the beginning)."""
    width = max(1, round(SMOOTHING_S / float(edges_s[1] - edges_s[0])))
    total = np.concatenate([[0.0], values.cumsum()])
    last = np.arange(1, len(total))
    first = np.maximum(last - width, 0)
    smoothed: FloatArray = (total[last] - total[first]) / (last - first)
    return smoothed


def _back_s(level: FloatArray, after_s: FloatArray) -> float | None:
    """Return when `level` came back to `RESTORED_SHARE`; 0 if it never left it.

    Both are judged by means over `SETTLED_S`: the seams between the steps of a schedule show as
    single dips.
    """
    settled = round(SETTLED_S / _STEP_S)
    means = [level[step : step + settled].mean() for step in range(level.size)]
    good = np.array(means) >= RESTORED_SHARE
    if good.all():
        return 0.0
    for step in range(int(np.argmin(good)), level.size):
        if level[step] >= RESTORED_SHARE and good[step]:
            return float(after_s[step])
    return None

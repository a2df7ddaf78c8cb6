"""The schedule as the switches' counters saw it, interval by interval.

Counters count all packets, those of probes too. They are polled about once a second and read off
at the intervals' ends (linear in between), so a rate is smeared over its neighbours a little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np

from controller.messages import FromController
from generators.fidelity import Fidelity, fidelity
from generators.schedule import Schedule
from results.metrics.load import delivered_rates_bps, entering_rates_bps
from results.metrics.prediction import wape
from results.timeline import FloatArray, Window

FEWEST_STEPS = 12
"""Scores of less say nothing."""
_SLACK = 1e-6


@dataclass(frozen=True)
class OnTheWire:
    """Consecutive intervals of the schedule, from the first one of the window on."""

    first_step: int
    interval_s: float
    requested_bps: FloatArray
    """(steps, hosts, hosts)"""
    entered_bps: FloatArray
    """(steps, hosts, hosts) by the counters of the OD pairs where they enter the network."""
    delivered_bps: FloatArray
    """(steps, hosts) by the counters of the ports where packets leave it."""

    @property
    def port_wape_percent(self) -> float | None:
        """Requested against delivered, over hosts and intervals."""
        error = wape(self.delivered_bps, self.requested_bps.sum(axis=1))
        return None if error is None else 100.0 * error

    @property
    def fidelity(self) -> Fidelity | None:
        """The generator's scores of what was on the wire, against what was requested.

        Over pairs that were asked to send. None for too few intervals.
        """
        if len(self.requested_bps) < FEWEST_STEPS:
            return None
        asked = self.requested_bps.sum(axis=0) > 0
        requested_bps, entered_bps = self.requested_bps[:, asked], self.entered_bps[:, asked]
        if not (requested_bps.sum(axis=1).all() and entered_bps.sum(axis=1).all()):
            return None
        return fidelity(entered_bps, requested_bps, self.interval_s)


def on_the_wire(
    telemetry: Sequence[FromController], schedule: Schedule, start_s: float, window: Window
) -> OnTheWire | None:
    """Read the counters at the intervals wholly inside `window`; None without any."""
    interval_s = schedule.interval_s
    first = max(0, ceil((window.start_s - start_s) / interval_s - _SLACK))
    end = min(schedule.steps, floor((window.end_s - start_s) / interval_s + _SLACK))
    if end <= first:
        return None
    span = Window(start_s + first * interval_s, start_s + end * interval_s)
    delivered = delivered_rates_bps(telemetry, schedule.hosts, span, interval_s)
    entered = entering_rates_bps(telemetry, span, interval_s)
    if delivered is None or entered is None:
        return None
    steps = min(len(edges_s) - 1 for edges_s, _ in (delivered, entered))
    index = {host: position for position, host in enumerate(schedule.hosts)}
    entered_bps = np.zeros((steps, len(index), len(index)))
    for (source, target), rates_bps in entered[1].items():
        entered_bps[:, index[source], index[target]] = rates_bps[:steps]
    delivered_bps = np.zeros((steps, len(index)))
    for host, rates_bps in delivered[1].items():
        delivered_bps[:, index[host]] = rates_bps[:steps]
    requested_bps = schedule.matrices_bps[first : first + steps]
    return OnTheWire(first, interval_s, requested_bps, entered_bps, delivered_bps)

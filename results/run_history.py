"""A run's own telemetry as a history: what the counters of every pair say, interval by interval."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import cast

import msgspec
import numpy as np

from controller.messages import FromController, OdStats
from generators.history import History, HistoryError
from generators.history.assembly import unix_time_s
from generators.history.structure import week_seconds
from results.fault_events import BEGINS
from results.run_directory import Event, RunDirectory, read_lines
from results.timeline import ended_s
from twin.counters import CounterSeries

_LABEL_BEGINS: Mapping[str, str] = {
    "flood-start": "attack",
    **dict.fromkeys(BEGINS.values(), "failure-aftermath"),
}


def history_of_run(run_dir: RunDirectory) -> History:
    """Return the rates of all pairs while the traffic lasted; gaps where telemetry was missing.

    Labels: "attack" while a flood lasted, "failure-aftermath" while a fault did.

    Raises:
        HistoryError: there is no run, its files are damaged, or it had no traffic.
    """
    try:
        manifest, topology = run_dir.read_manifest(), run_dir.read_topology()
        events = list(read_lines(run_dir.events, Event))
        rows = {pair: row for row, pair in enumerate(topology.od_pairs)}
        series: dict[str, tuple[list[int], CounterSeries]] = {}
        last_s = -math.inf
        for message in read_lines(run_dir.telemetry, cast(type[FromController], FromController)):
            last_s = message.t_s
            if isinstance(message, OdStats) and message.pairs:
                # Their order changes with the entries.
                counted = {rows[pair.src, pair.dst]: float(pair.bytes) for pair in message.pairs}
                columns = sorted(counted)
                if message.datapath not in series or series[message.datapath][0] != columns:
                    series[message.datapath] = (columns, CounterSeries(len(columns), math.inf))
                values = np.array([counted[column] for column in columns])
                series[message.datapath][1].add(message.t_s, values)
    except (OSError, msgspec.DecodeError, KeyError) as error:
        raise HistoryError(
            f"{run_dir.path}: not a readable run ({error}): give the directory that "
            "`twinbed run` printed"
        ) from error
    start_s, end_s = _traffic(run_dir, events, last_s)
    if not series:
        raise HistoryError(
            f"{run_dir.path}: no counters of pairs; a run without a controller has none"
        )
    step_s = manifest.interval_s
    steps = int((end_s - start_s) / step_s + 1e-6)
    if steps < 1:
        raise HistoryError(f"{run_dir.path}: its traffic lasted less than {step_s:g} s")
    rates_bps = np.full((steps, len(rows)), np.nan)
    for columns, counters in series.values():
        for step in range(steps):
            begin_s = start_s + step * step_s
            rates_bps[step, columns] = 8 * counters.mean_rates(begin_s, begin_s + step_s)
    hosts = tuple(host.name for host in topology.hosts)
    matrices_bps = np.zeros((steps, len(hosts), len(hosts)))
    matrices_bps[:, ~np.eye(len(hosts), dtype=bool)] = rates_bps
    began = datetime.fromtimestamp(start_s + manifest.realtime_minus_monotonic_s, timezone.utc)
    labels = _labels(events, start_s, step_s, steps)
    unix_s = unix_time_s(began)
    return History(hosts, step_s, matrices_bps, week_seconds(began), labels, unix_s)


def _traffic(run_dir: RunDirectory, events: list[Event], last_s: float) -> tuple[float, float]:
    """When the traffic began, and when it ended (or the telemetry, if the run was cut off)."""
    begins = [event.t_s for event in events if event.event == "traffic-start"]
    if not begins:
        raise HistoryError(f"{run_dir.path}: its traffic never began")
    ends = [event.t_s for event in events if event.event == "traffic-end"]
    return begins[0], min([*ends, last_s])


def _labels(events: list[Event], start_s: float, step_s: float, steps: int) -> tuple[str, ...]:
    labels = [""] * steps
    for event in events:
        label = _LABEL_BEGINS.get(event.event)
        if label is None:
            continue
        end_s = ended_s(event, events, start_s + steps * step_s)
        first = max(0, math.floor((event.t_s - start_s) / step_s))
        for step in range(first, min(steps, math.ceil((end_s - start_s) / step_s))):
            labels[step] = label
    return tuple(labels) if any(labels) else ()

"""How near a replay came to its schedule, by what was seen at the hosts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import numpy as np
import numpy.typing as npt

from benchmarks.wire_watch import Seen
from generators.iperf import FRAME_OVERHEAD_BYTES, suitable_payload_bytes
from generators.replay_plan import plan
from generators.schedule import FloatArray, Schedule
from results.metrics.prediction import wape
from topologies.model import Topology
from topologies.paths import propagation_delay_ms, shortest_paths

_BIN_S = 0.01
_EARLIEST_BINS, _LATEST_BINS = -50, 150
_AROUND_S = 0.5
_NEXT_TO_NOTHING_BPS = 1e-3
"""Beside what is asked for, so that every instant has its own sum of it."""
_SMALLEST_FRAME_BYTES = suitable_payload_bytes(0.0) + FRAME_OVERHEAD_BYTES


class Figures(msgspec.Struct, frozen=True):
    """Of one way."""

    wape_percent: float | None
    """Of the rates at the hosts' ports, by their counters, step by step."""
    pair_wape_percent: float | None
    """Of the rates of the OD pairs, by the packets that arrived."""
    total_percent: float
    """What arrived, of what was asked for."""
    lag_ms: float
    """By which what arrived fits what was asked for best, less the propagation delay."""
    gap_ms: tuple[float, float, float]
    """Largest hole among a pair's packets around a step beyond its packets' own distance: median,
    99th percentile and maximum over pairs and steps."""
    cpu_percent: float
    """Of one processor, while the schedule ran."""


def figures(
    topology: Topology, schedule: Schedule, seen: Seen, start_s: float, cpu_s: float
) -> Figures:
    """Compare what was asked for with what was seen."""
    seen = without_acknowledgements(seen)
    pairs_bps = pair_rates_bps(schedule, seen, start_s)
    ports_bps = port_rates_bps(schedule, seen)
    asked_bps = schedule.matrices_bps
    sent_s = _sent_s(topology, seen) - start_s
    gaps_ms = 1e3 * np.array(list(gaps_s(schedule, seen, sent_s)) or [np.nan])
    return Figures(
        wape_percent=_percent(wape(ports_bps, asked_bps.sum(axis=1))),
        pair_wape_percent=_percent(wape(pairs_bps, asked_bps)),
        total_percent=100 * float(ports_bps.sum() / asked_bps.sum()),
        lag_ms=1e3 * lag_s(schedule, seen, sent_s),
        gap_ms=(
            float(np.median(gaps_ms)),
            float(np.percentile(gaps_ms, 99, method="higher")),
            float(gaps_ms.max()),
        ),
        cpu_percent=100 * cpu_s / schedule.duration_s,
    )


def without_acknowledgements(seen: Seen) -> Seen:
    """What TCP's receivers answer is no packet of the schedule; the ports count it, though."""
    asked_for = seen.frame_bytes >= _SMALLEST_FRAME_BYTES
    columns = ("arrival_s", "source", "target", "frame_bytes")
    return replace(seen, **{name: getattr(seen, name)[asked_for] for name in columns})


def port_rates_bps(schedule: Schedule, seen: Seen) -> FloatArray:
    """(steps, hosts): what arrived at every host, by the counter of its port."""
    rates: FloatArray = 8 * np.diff(seen.port_bytes, axis=0) / schedule.interval_s
    return rates


def pair_rates_bps(schedule: Schedule, seen: Seen, start_s: float) -> FloatArray:
    """(steps, hosts, hosts): what arrived of every pair, packet by packet."""
    rates_bps = np.zeros_like(schedule.matrices_bps)
    step = np.floor((seen.arrival_s - start_s) / schedule.interval_s).astype(int)
    known = (step >= 0) & (step < schedule.steps) & (seen.source >= 0)
    where = step[known], seen.source[known], seen.target[known]
    np.add.at(rates_bps, where, 8 * seen.frame_bytes[known] / schedule.interval_s)
    return rates_bps


def lag_s(schedule: Schedule, seen: Seen, sent_s: FloatArray) -> float:
    """The shift at which the cross-correlation of asked and sent rates, over all pairs, peaks."""
    hosts, per_step = len(schedule.hosts), round(schedule.interval_s / _BIN_S)
    asked = schedule.matrices_bps.reshape(schedule.steps, -1).repeat(per_step, axis=0)
    length = len(asked)
    room = max(-_EARLIEST_BINS, _LATEST_BINS)
    sent = np.zeros((length + 2 * room, hosts * hosts))
    bins = np.floor(sent_s / _BIN_S).astype(int) + room
    known = (bins >= 0) & (bins < len(sent)) & (seen.source >= 0)
    pair = seen.source[known].astype(int) * hosts + seen.target[known]
    np.add.at(sent, (bins[known], pair), seen.frame_bytes[known])
    lags = range(_EARLIEST_BINS, _LATEST_BINS + 1)
    fits = [float((asked * sent[room + lag : room + lag + length]).sum()) for lag in lags]
    return _BIN_S * lags[int(np.argmax(fits))]


def gaps_s(schedule: Schedule, seen: Seen, sent_s: FloatArray) -> Iterator[float]:
    """The largest hole around each step of each pair that sends before and after it.

    Less the distance that its packets have by what is asked for.
    """
    number = {host: index for index, host in enumerate(schedule.hosts)}
    for stream in plan(schedule):
        source, target = number[stream.source], number[stream.target]
        times_s = np.sort(sent_s[(seen.source == source) & (seen.target == target)])
        rates_bps = schedule.matrices_bps[:, source, target]
        for step in range(1, schedule.steps):
            if min(rates_bps[step - 1 : step + 1]) > 0:
                at_s, bits = step * schedule.interval_s, 8 * stream.frame_bytes
                own_s = own_distance_s(rates_bps, schedule.interval_s, bits, at_s)
                yield largest_hole_s(times_s, at_s) - own_s


def own_distance_s(
    rates_bps: FloatArray, interval_s: float, frame_bits: float, at_s: float
) -> float:
    """The longest time in which what is asked for (steps,) comes to one frame, of those that touch
    half a second before or after an instant: low rates take several steps for it."""
    edges_s = interval_s * np.arange(len(rates_bps) + 1)
    asked = np.concatenate([[0.0], np.cumsum((rates_bps + _NEXT_TO_NOTHING_BPS) * interval_s)])
    first, last = np.interp((at_s - _AROUND_S, at_s + _AROUND_S), edges_s, asked)
    # Between edges, its length is a linear function of where it begins.
    begun = np.concatenate([asked, asked - frame_bits, [last, first - frame_bits]])
    touching = begun[(begun <= last) & (begun + frame_bits >= first)]
    return float(np.ptp(np.interp([touching, touching + frame_bits], asked, edges_s), axis=0).max())


def largest_hole_s(times_s: FloatArray, at_s: float) -> float:
    """The longest time without a packet that touches half a second before or after an instant."""
    first, last = np.searchsorted(times_s, (at_s - _AROUND_S, at_s + _AROUND_S))
    around_s = times_s[max(0, first - 1) : last + 1]
    # Where a pair has not begun yet, or sends nothing any more, the hole is cut off.
    before_s = [at_s - _AROUND_S] if first == 0 else []
    after_s = [at_s + _AROUND_S] if last == len(times_s) else []
    return float(np.diff(np.concatenate([before_s, around_s, after_s])).max())


def _sent_s(topology: Topology, seen: Seen) -> FloatArray:
    """When packets left, had they never waited."""
    number = {host.name: index for index, host in enumerate(topology.hosts)}
    delay_s: npt.NDArray[np.float64] = np.zeros((len(number), len(number)))
    for pair, path in shortest_paths(topology).items():
        delay_ms = propagation_delay_ms(topology, pair, path)
        delay_s[number[pair[0]], number[pair[1]]] = delay_ms / 1e3
    sent: FloatArray = seen.arrival_s - delay_s[seen.source, seen.target]
    return sent


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share

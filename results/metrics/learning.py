"""How wrong the twin's model was, how it learnt, and when it said so itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from results.fault_events import BEGINS
from results.run_directory import Event
from results.timeline import FloatArray, Window, ended_s
from topologies.model import DirectedLink, Topology
from twin.records import CapacityLearnt, Drift, LinksScored, TwinRecord

ENDS_S = 5.0
"""The model at the beginning, and at the end: over so many scored seconds."""

_SAYS = {
    "load": ("the load of {}", "{:.2g} Mbit/s", 1e-6),
    "loss": ("the loss of {}", "{:.1f} %", 100.0),
    "delay": ("the delay of {}", "{:.0f} ms", 1.0),
    "gain": ("the gain of reroutes", "{:.0f} points of utilisation", 100.0),
}
_MOST_SENTENCES = 6


@dataclass(frozen=True)
class Capacity:
    """What one direction was believed to carry, and what it really carried, step by step."""

    link: DirectedLink
    believed_bps: FloatArray
    real_bps: FloatArray


def error_over_time_percent(
    twin: Iterable[TwinRecord], window: Window, step_s: float
) -> list[float | None]:
    """Return, for each step, the WAPE of the load that the model saw the core links carry.

    Of what arrives at their far ends, predicted from the second's own matrix and routes: it is the
    model that is judged, not the forecast. None for a step without a score.
    """
    edges_s = window.edges(step_s)
    errors: list[float | None] = [None] * (len(edges_s) - 1)
    for record in twin:
        if not isinstance(record, LinksScored) or not window.covers(record.start_s, record.t_s):
            continue
        step = int(((record.start_s + record.t_s) / 2 - window.start_s) / step_s)
        if step < len(errors):
            errors[step] = _error_percent(record)
    return errors


def model_error_percent(errors: Sequence[float | None]) -> dict[str, float] | None:
    """Return the median error of the first and the last scored steps; None of too short a run."""
    known = [error for error in errors if error is not None]
    most = int(ENDS_S)
    if len(known) < 2 * most:
        return None
    return {"begin": float(np.median(known[:most])), "end": float(np.median(known[-most:]))}


def capacities(
    twin: Iterable[TwinRecord],
    events: Sequence[Event],
    topology: Topology,
    window: Window,
    step_s: float,
) -> list[Capacity]:
    """Return every direction whose capacity changed, or was believed to have."""
    middles_s = window.edges(step_s)[:-1] + step_s / 2
    killed_s = [event.t_s for event in events if event.event == "twin-crash"]
    learnt: dict[DirectedLink, list[CapacityLearnt]] = {}
    for record in twin:
        if isinstance(record, CapacityLearnt):
            learnt.setdefault((record.sender, record.receiver), []).append(record)
    return [
        Capacity(
            link, _believed(learnt.get(link, ()), configured_bps, middles_s, killed_s), real_bps
        )
        for link in topology.core_directions
        if (configured_bps := topology.link_between[link].shape.rate_bps)
        and (
            (real_bps := _real(events, link, configured_bps, middles_s)).min(initial=configured_bps)
            < configured_bps
            or link in learnt
        )
    ]


def drift_sentences(
    twin: Iterable[TwinRecord], named: Mapping[str, str], window: Window
) -> list[str]:
    """Return what the twin said of its own errors; of many the first ones."""
    said = [_sentence(one, named, window) for one in twin if isinstance(one, Drift)]
    rest = len(said) - _MOST_SENTENCES
    return said[:_MOST_SENTENCES] + ([f"and {rest} more such changes"] if rest > 0 else [])


def _sentence(drift: Drift, named: Mapping[str, str], window: Window) -> str:
    what, figure, scale = _SAYS[drift.quantity]
    link = " → ".join(named[end] for end in drift.subject or ())
    after_s = drift.t_s - window.start_s
    if not drift.begun:
        right = f"the model had {what.format(link)} right again"
        return f"{after_s:.0f} s after measuring began {right}"
    predicted, measured = (
        figure.format(value * scale) for value in (drift.predicted, drift.measured)
    )
    return (
        f"{after_s:.0f} s after measuring began the model was persistently wrong about "
        f"{what.format(link)}: {predicted} predicted, {measured} measured"
    )


def _error_percent(scored: LinksScored) -> float | None:
    rows = (
        scored.predicted_bps,
        scored.predicted_loss,
        scored.measured_bps,
        scored.measured_loss,
    )
    table = np.array(rows, dtype=np.float64)
    predicted, predicted_loss, measured, measured_loss = table[:, ~np.isnan(table).any(axis=0)]
    carried = measured * (1 - measured_loss)
    off = np.abs(predicted * (1 - predicted_loss) - carried).sum()
    return 100.0 * float(off / carried.sum()) if carried.sum() > 0 else None


def _believed(
    learnt: Iterable[CapacityLearnt],
    configured_bps: float,
    at_s: FloatArray,
    killed_s: Iterable[float],
) -> FloatArray:
    """What was learnt last; a twin that is killed takes it along."""
    turns = [(record.t_s, record.after_bps) for record in learnt]
    turns += [(t_s, configured_bps) for t_s in killed_s]
    believed = np.full(len(at_s), configured_bps)
    for t_s, after_bps in sorted(turns):
        believed[at_s >= t_s] = after_bps
    return believed


def _real(
    events: Iterable[Event], link: DirectedLink, configured_bps: float, at_s: FloatArray
) -> FloatArray:
    """As the timeline made it: a degradation that gets there gradually does so evenly."""
    real = np.full(len(at_s), configured_bps)
    for start_s, end_s, over_s, rate_bps in _slowed(events, link):
        share = np.clip((at_s - start_s) / max(over_s, 1e-9), 0.0, 1.0)
        slowed = configured_bps + (rate_bps - configured_bps) * share
        real = np.where((at_s >= start_s) & (at_s < end_s), np.minimum(real, slowed), real)
    return real


def _slowed(
    events: Iterable[Event], link: DirectedLink
) -> Iterator[tuple[float, float, float, float]]:
    """Yield (start_s, end_s, over_s, rate_bps) of each time that the timeline slowed the link."""
    of_link = [e for e in events if set(e.detail.get("link", ())) == set(link)]
    for event in of_link:
        if event.event == BEGINS["degrade"] and "rate_bps" in event.detail:
            detail = event.detail
            yield event.t_s, ended_s(event, of_link), detail["over_s"], detail["rate_bps"]

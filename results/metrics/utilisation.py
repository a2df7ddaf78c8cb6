"""Bandwidth utilisation: what was delivered of what any routing could have delivered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generators.records import Received
from generators.schedule import Schedule
from results.metrics.delivery import received_bits
from results.run_directory import Event
from results.timeline import FloatArray, Window, surviving_spans
from topologies.model import DirectedLink, Topology
from topologies.optimum import max_deliverable_bps


def offered_steps(
    schedule: Schedule, start_s: float, window: Window
) -> Iterator[tuple[Window, FloatArray]]:
    """Return each step of the schedule that reaches into `window`: its span, its matrix (bit/s)."""
    for step, matrix in enumerate(schedule.matrices_bps):
        begin_s = start_s + step * schedule.interval_s
        inside = Window(
            max(begin_s, window.start_s), min(begin_s + schedule.interval_s, window.end_s)
        )
        if inside.duration_s > 1e-6:
            yield inside, matrix


def deliverable_bits(
    topology: Topology,
    schedule: Schedule,
    start_s: float,
    events: Sequence[Event],
    window: Window,
) -> float:
    """Return the most that any routing could deliver of the offered traffic over `window`.

    A linear program for every matrix and every set of directions that were dead meanwhile; a
    degraded link is taken for a whole one.
    """
    known: dict[tuple[bytes, frozenset[DirectedLink]], float] = {}
    bits = 0.0
    for span, down in surviving_spans(events, topology, window):
        for step, matrix in offered_steps(schedule, start_s, span):
            case = (matrix.tobytes(), down)
            if case not in known:
                known[case] = max_deliverable_bps(topology, matrix, down)
            bits += known[case] * step.duration_s
    return bits


def utilisation_percent(
    workload: Sequence[Received], deliverable: float | None, window: Window
) -> float | None:
    """Return delivered bits over `deliverable` bits; None without either."""
    if not deliverable or not workload:
        return None
    return 100.0 * received_bits(workload, window) / deliverable

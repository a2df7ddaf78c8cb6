"""What the lab and the twin themselves cost: time and processor."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from results.run_directory import Event
from results.timeline import Window
from testbed.records import FidelitySample
from twin.records import Health, TwinRecord


def lab_times_s(events: Iterable[Event]) -> dict[str, float]:
    """Return how long the lab took to be ready, and to be gone, as far as recorded."""
    at = {event.event: event.t_s for event in events}
    spans = {"start": ("lab-starting", "lab-ready"), "stop": ("lab-stopping", "lab-stopped")}
    return {name: at[b] - at[a] for name, (a, b) in spans.items() if a in at and b in at}


def cpu_percent(
    twin: Iterable[TwinRecord], fidelity: Iterable[FidelitySample], window: Window
) -> dict[str, float]:
    """Return mean processor use: the machine's of all processors, the rest of one each."""
    samples = [sample for sample in fidelity if window.holds(sample.t_s)]
    health = [r for r in twin if isinstance(r, Health) and window.holds(r.t_s)]
    parts: dict[str, list[float]] = {
        "machine": [sample.cpu_percent for sample in samples],
        "link_daemon": [sample.daemon_cpu_percent for sample in samples],
        "switches": [s.switch_cpu_percent for s in samples if s.switch_cpu_percent is not None],
        "twin": [record.cpu_percent for record in health],
    }
    return {name: float(np.mean(values)) for name, values in parts.items() if values}

"""The details of a summary that the pictures of the twin's foresight are made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from results.metrics import foresight
from results.metrics.foresight import Foreseen
from results.metrics.prediction import DelayComparison
from results.recording import Recording
from results.timeline import Window


def foreseen_document(
    recording: Recording, window: Window, compared: Sequence[DelayComparison], step_s: float
) -> dict[str, Any]:
    """Predictions beside measurements: delays of pairs in ms, loads of links in Mbit/s."""
    document: dict[str, Any] = {}
    delays, loads = foresight.delays(compared), foresight.link_loads(recording.twin, window)
    if delays is not None:
        document["delay_ms"] = {
            "points": delays.points(),
            **_over_time(delays, 0, window, step_s),
        }
    if loads is not None:
        directions, accuracies = recording.topology.core_directions, loads.accuracy_percent()
        busiest = int(np.nansum(loads.measured, axis=0).argmax())
        document["load_mbps"] = {
            "points": loads.points() / 1e6,
            "busiest": directions[busiest],
            **_over_time(loads, busiest, window, step_s, 1e-6),
            "accuracy": [
                {"from": a, "to": b, "percent": accuracy}
                for (a, b), accuracy in zip(directions, accuracies, strict=True)
            ],
        }
    return document


def _over_time(
    foreseen: Foreseen, subject: int, window: Window, step_s: float, scale: float = 1.0
) -> dict[str, Any]:
    both = (("predicted", foreseen.predicted), ("measured", foreseen.measured))
    return {
        name: foresight.over_time(foreseen.spans, values[:, subject] * scale, window, step_s)
        for name, values in both
    }

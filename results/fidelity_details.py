"""What a report shows of a run's fidelity, as plain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec

from results.metrics.links import link_frames
from results.recording import Recording
from results.validity import MEASURES, Judged, Verdict
from testbed.records import IdleLink, IdlePath


def fidelity_document(recording: Recording, verdict: Verdict) -> dict[str, Any]:
    """Return every measure beside its bounds, the idle check, and what the links did."""
    paths = [one for one in recording.idle if isinstance(one, IdlePath)]
    window = recording.window
    return {
        "measures": [_measure(one) for one in verdict.judged],
        "idle_links": [
            msgspec.to_builtins(one) for one in recording.idle if isinstance(one, IdleLink)
        ],
        "idle_paths": {
            "checked": len(paths),
            "arrived": sum(one.arrived for one in paths),
        },
        "links": window
        and [asdict(one) for one in link_frames(recording.links, recording.topology, window)],
    }


def _measure(one: Judged) -> dict[str, Any]:
    measure = MEASURES[one.name]
    return {
        "name": one.name,
        "label": measure.label,
        "unit": measure.unit,
        "measured": one.measured.value,
        "where": one.measured.where,
        "degraded": one.bound.degraded,
        "invalid": one.bound.invalid,
        "verdict": one.level,
    }

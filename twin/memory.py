"""What a twin has learnt of its network, from the records that it leaves behind.

The next twin of the run goes on with it, where it would else have to learn all of it anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from twin.model import Correction
from twin.records import Calibration, CapacityLearnt, GainScored, TwinRecord


@dataclass(frozen=True)
class Learnt:
    """What does not change when a twin dies: the network is the same."""

    correction: Correction = field(default_factory=Correction)
    """Of the performance model."""
    gain_trust: float = 1.0
    """See `twin.trust.GainTrust`."""


def learnt(records: Iterable[TwinRecord]) -> Learnt:
    """What `records`, in their order, have come to."""
    correction, gain_trust = Correction(), 1.0
    for record in records:
        match record:
            case Calibration(name="load-gain", after=after):
                correction = replace(correction, load_gain=after)
            case Calibration(name="variance", after=after):
                correction = replace(correction, variance=after)
            case CapacityLearnt(sender=a, receiver=b):
                factor = record.after_bps / record.configured_bps
                factors = {**correction.capacity_factor, (a, b): factor}
                correction = replace(correction, capacity_factor=factors)
            case GainScored(trust=gain_trust):
                pass
            case _:
                pass
    return Learnt(correction, gain_trust)

"""A traffic schedule: what every OD pair shall send in every interval, and the floods besides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Flood:
    """A volumetric attack from one host on one victim, beside the workload."""

    source: str
    victim: str
    rates_bps: FloatArray
    """(steps,) bit/s of Ethernet frames in each step of the schedule."""


@dataclass(frozen=True)
class Schedule:
    """The workload of a run. Rates count whole Ethernet frames, without preamble and FCS."""

    hosts: tuple[str, ...]
    interval_s: float
    matrices_bps: FloatArray
    """(steps, hosts, hosts), zero diagonal."""
    floods: tuple[Flood, ...] = ()

    @property
    def steps(self) -> int:
        """How many intervals."""
        return int(self.matrices_bps.shape[0])

    @property
    def duration_s(self) -> float:
        """Length of the whole schedule."""
        return self.steps * self.interval_s

"""What every source of history ends in: matrices at regular steps, gaps and labels marked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from generators.schedule import FloatArray

MIN_STEPS = 48
"""Two windows of the GAN: less history teaches nothing."""

WEEK_S = 7 * 86_400.0
MONDAY_S = 4 * 86_400.0
"""Unix time of a Monday 00:00: the epoch was a Thursday."""
YEAR_10000_S = 253_402_300_800.0
"""Unix time; there are no dates beyond."""


class HistoryError(Exception):
    """A history cannot be used; the message names the file (and the line), and the mend."""


@dataclass(frozen=True)
class History:
    """Traffic matrices measured (or made up) at regular steps."""

    hosts: tuple[str, ...]
    """Of rows and columns: hosts of a topology, or the nodes that a file names."""
    step_s: float
    matrices_bps: FloatArray
    """(steps, hosts, hosts), mean bit/s of each step, zero diagonal; NaN is a gap."""
    start_s: float = 0.0
    """When step 0 begins, in seconds after Monday 00:00: time of the day and day of the week."""
    labels: tuple[str, ...] = ()
    """What each step is an example of, such as "attack"; "" where nobody says; or none at all."""
    unix_s: float | None = None
    """When step 0 begins, as a date: Unix time by the source's own clock. None: it tells none."""

    @property
    def steps(self) -> int:
        """How many matrices."""
        return int(self.matrices_bps.shape[0])

    @property
    def rates_bps(self) -> FloatArray:
        """(steps, pairs), the pairs in the order of `Topology.od_pairs`; NaN is a gap."""
        return np.asarray(self.matrices_bps[:, pair_mask(len(self.hosts))], dtype=np.float64)

    @property
    def gaps(self) -> npt.NDArray[np.bool_]:
        """(steps, pairs): what is not known."""
        return np.isnan(self.rates_bps)

    @property
    def times_s(self) -> FloatArray:
        """(steps,): when each step begins, in seconds after Monday 00:00."""
        return np.asarray((self.start_s + self.step_s * np.arange(self.steps)) % WEEK_S)

    def split(self, fraction: float) -> tuple[History, History]:
        """Return the first `fraction` of the steps, and the rest."""
        cut = round(self.steps * fraction)
        return self.part(0, cut), self.part(cut, self.steps)

    def part(self, first: int, end: int) -> History:
        """Return the steps from `first` to before `end`."""
        return replace(
            self,
            matrices_bps=self.matrices_bps[first:end],
            start_s=(self.start_s + first * self.step_s) % WEEK_S,
            labels=self.labels[first:end],
            unix_s=None if self.unix_s is None else self.unix_s + first * self.step_s,
        )

    def filled(self) -> History:
        """Return it with every gap filled: linear between what is known, level at the ends.

        For models that need every cell. A pair of which nothing is known becomes zero.
        """
        if not np.isnan(self.matrices_bps).any():
            return self
        rates_bps, steps = self.rates_bps, np.arange(self.steps)
        for column, known in zip(rates_bps.T, ~self.gaps.T, strict=True):
            column[~known] = (
                np.interp(steps[~known], steps[known], column[known]) if known.any() else 0.0
            )
        matrices_bps = np.zeros_like(self.matrices_bps)
        matrices_bps[:, pair_mask(len(self.hosts))] = rates_bps
        return replace(self, matrices_bps=matrices_bps)


def pair_mask(hosts: int) -> npt.NDArray[np.bool_]:
    """Return the (hosts, hosts) mask of the OD pairs: everything off the diagonal.

    A matrix indexed with it gives the pairs in the order of `Topology.od_pairs`.
    """
    return ~np.eye(hosts, dtype=bool)


def week_seconds(moment: datetime) -> float:
    """Return the seconds from Monday 00:00 to `moment`, in its own time zone."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return moment.weekday() * 86_400.0 + (moment - midnight).total_seconds()

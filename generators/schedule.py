"""A traffic schedule: what every OD pair shall send in every interval, and the floods besides."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from topologies.model import OdPair
from topologies.whole_file import written_whole

FloatArray = npt.NDArray[np.float64]

NPZ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading an .npz file raises where it is none, or damaged; RuntimeError: a zip file that is
encrypted, or packed in a way that is not known."""


class ScheduleFileError(Exception):
    """A file that should hold a schedule does not."""


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
    notes: tuple[str, ...] = ()
    """What its maker has to say about it, for people: scale, what was cut."""
    tcp_pairs: frozenset[OdPair] = frozenset()
    """Those whose workload is TCP: it gives way where links are full. All others send UDP."""

    @property
    def steps(self) -> int:
        """How many intervals."""
        return int(self.matrices_bps.shape[0])

    @property
    def duration_s(self) -> float:
        """Length of the whole schedule."""
        return self.steps * self.interval_s

    @property
    def with_floods_bps(self) -> FloatArray:
        """(steps, hosts, hosts): the workload, and the floods upon it."""
        matrices_bps, row = self.matrices_bps.copy(), {h: n for n, h in enumerate(self.hosts)}
        for flood in self.floods:
            matrices_bps[:, row[flood.source], row[flood.victim]] += flood.rates_bps
        return matrices_bps

    def save(self, path: Path) -> None:
        """Write to an .npz file of plain arrays, exact to the bit."""
        rates = [flood.rates_bps for flood in self.floods]
        with written_whole(path) as file:
            np.savez_compressed(
                file,
                hosts=np.array(self.hosts, dtype=np.str_),
                interval_s=np.float64(self.interval_s),
                matrices_bps=self.matrices_bps,
                flood_sources=np.array([flood.source for flood in self.floods], dtype=np.str_),
                flood_victims=np.array([flood.victim for flood in self.floods], dtype=np.str_),
                flood_rates_bps=np.array(rates).reshape(len(rates), self.steps),
                tcp_pairs=np.array(sorted(self.tcp_pairs), dtype=np.str_).reshape(-1, 2),
                notes=np.array(self.notes, dtype=np.str_),
            )

    @classmethod
    def load(cls, path: Path) -> Schedule:
        """Read what `save` wrote.

        Raises:
            ScheduleFileError: the file is missing, damaged, or no schedule.
        """
        try:
            file = np.load(path, allow_pickle=False)
            if isinstance(file, np.lib.npyio.NpzFile):
                with file as arrays:
                    return cls._from(arrays)
        except (KeyError, *NPZ_ERRORS) as error:
            raise ScheduleFileError(f"{path}: no readable schedule ({error})") from error
        raise ScheduleFileError(f"{path}: no readable schedule (one bare array)")

    @classmethod
    def _from(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Schedule:
        floods = zip(
            arrays["flood_sources"].tolist(),
            arrays["flood_victims"].tolist(),
            arrays["flood_rates_bps"],
            strict=True,
        )
        return cls(
            hosts=tuple(arrays["hosts"].tolist()),
            interval_s=float(arrays["interval_s"]),
            matrices_bps=arrays["matrices_bps"],
            floods=tuple(Flood(*flood) for flood in floods),
            notes=tuple(arrays["notes"].tolist()),
            tcp_pairs=frozenset((str(a), str(b)) for a, b in arrays.get("tcp_pairs", ())),
        )

"""The history of traffic matrices from which the generative models learn."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from generators.schedule import FloatArray
from topologies.model import Topology

_log = logging.getLogger(__name__)

MIN_STEPS = 48
"""Four windows of the GAN: less history teaches nothing."""

_DEFAULT_STEP_S = 300.0


class HistoryError(Exception):
    """A history file cannot be used; the message names the file and the mend."""


@dataclass(frozen=True)
class History:
    """Traffic matrices measured (or made up) at regular steps."""

    hosts: tuple[str, ...]
    step_s: float
    matrices_bps: FloatArray
    """(steps, hosts, hosts), mean bit/s of each step, zero diagonal."""

    @property
    def steps(self) -> int:
        """How many matrices."""
        return int(self.matrices_bps.shape[0])

    @property
    def rates_bps(self) -> FloatArray:
        """(steps, pairs), the pairs in the order of `Topology.od_pairs`."""
        return np.asarray(self.matrices_bps[:, pair_mask(len(self.hosts))], dtype=np.float64)

    def split(self, fraction: float) -> tuple[History, History]:
        """Return the first `fraction` of the steps, and the rest."""
        cut = round(self.steps * fraction)
        early, late = self.matrices_bps[:cut], self.matrices_bps[cut:]
        return History(self.hosts, self.step_s, early), History(self.hosts, self.step_s, late)


def pair_mask(hosts: int) -> npt.NDArray[np.bool_]:
    """Return the (hosts, hosts) mask of the OD pairs: everything off the diagonal.

    A matrix indexed with it gives the pairs in the order of `Topology.od_pairs`.
    """
    return ~np.eye(hosts, dtype=bool)


def load_history(path: Path, topology: Topology) -> History:
    """Read measured matrices from an .npz file of plain arrays.

    `tm_kbps` (steps, hosts, hosts) holds kbit/s. Optional: `step_s` (default 300), and `nodes`,
    the names of the rows: where they are the labels of the topology's hosts, in whatever order,
    they decide which row is which host; else the rows follow the order of the hosts. Traffic
    from a host to itself is left out.

    Raises:
        HistoryError: the file is missing, damaged, or does not fit the topology.
    """
    matrices_kbps, nodes, step_s = _read(path)
    _check(path, matrices_kbps, step_s, topology)
    order = _order(path, nodes, topology)
    matrices_bps = matrices_kbps[:, order][:, :, order] * 1e3
    diagonal = np.arange(len(order))
    matrices_bps[:, diagonal, diagonal] = 0.0
    if not matrices_bps.any():
        raise HistoryError(f"{path}: tm_kbps is zero off its diagonal: give a history of traffic")
    return History(tuple(host.name for host in topology.hosts), step_s, matrices_bps)


def _read(path: Path) -> tuple[FloatArray, tuple[str, ...] | None, float]:
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise HistoryError(f"{path}: one bare array: store it as tm_kbps with numpy.savez")
        with file as arrays:
            if "tm_kbps" not in arrays:
                found = ", ".join(arrays.files) or "nothing"
                raise HistoryError(f"{path}: no array tm_kbps in it (found: {found}): name it so")
            nodes = tuple(map(str, arrays["nodes"].tolist())) if "nodes" in arrays else None
            step_s = float(arrays["step_s"]) if "step_s" in arrays else _DEFAULT_STEP_S
            return arrays["tm_kbps"].astype(np.float64), nodes, step_s
    except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
        hint = "write plain numeric arrays with numpy.savez"
        raise HistoryError(f"{path}: not a readable .npz file ({error}): {hint}") from error


def _check(path: Path, matrices_kbps: FloatArray, step_s: float, topology: Topology) -> None:
    hosts = len(topology.hosts)
    shape = matrices_kbps.shape
    if len(shape) != 3 or shape[1:] != (hosts, hosts):
        raise HistoryError(
            f"{path}: tm_kbps has shape {shape}, but {topology.name} has {hosts} hosts: "
            f"give an array of shape (steps, {hosts}, {hosts}), or another topology"
        )
    if shape[0] < MIN_STEPS:
        raise HistoryError(f"{path}: {shape[0]} matrices: give at least {MIN_STEPS}")
    bad = ~np.isfinite(matrices_kbps) | (matrices_kbps < 0)
    if bad.any():
        step, source, target = (int(index) for index in np.argwhere(bad)[0])
        raise HistoryError(
            f"{path}: tm_kbps[{step}, {source}, {target}] is {matrices_kbps[step, source, target]}"
            f" ({int(bad.sum())} such cells): give finite rates of at least 0"
        )
    if not (np.isfinite(step_s) and step_s > 0):
        raise HistoryError(f"{path}: step_s is {step_s}: give the seconds between two matrices")


def _order(path: Path, nodes: Sequence[str] | None, topology: Topology) -> list[int]:
    """Rows of the file in the order of the topology's hosts."""
    in_file_order = list(range(len(topology.hosts)))
    if nodes is None:
        return in_file_order
    row = {_plain(node): index for index, node in enumerate(nodes)}
    for names in ([h.label for h in topology.hosts], [h.name for h in topology.hosts]):
        plain = [_plain(name) for name in names]
        if len(row) == len(plain) and set(plain) == set(row):
            return [row[name] for name in plain]
    _log.warning(
        "%s: its nodes are not the hosts of %s: its rows are taken in the order of the hosts",
        path,
        topology.name,
    )
    return in_file_order


def _plain(name: str) -> str:
    """Spelling that survives the conversions between data sets (ATLA-M5, ATLAM5)."""
    return "".join(filter(str.isalnum, name)).lower()

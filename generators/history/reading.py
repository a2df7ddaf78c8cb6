"""Reading a history, whatever its format, and fitting it to a topology."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from generators.history.csv_tables import read_csv
from generators.history.npz import read_npz
from generators.history.sndlib import is_sndlib, read_sndlib
from generators.history.structure import MIN_STEPS, History, HistoryError
from topologies.model import Topology

_log = logging.getLogger(__name__)


def read_history(path: Path) -> History:
    """Read a file as it is: nodes by its own names, gaps as NaN.

    The name decides the format: .csv; a folder, .tgz, .tar.gz or .zip of SNDlib's matrices; else
    .npz.

    Raises:
        HistoryError: the file is missing or damaged; the message names the line where there is one.
    """
    if not path.exists():
        raise HistoryError(f"{path}: no such file")
    if path.suffix.lower() == ".csv":
        return read_csv(path)
    if is_sndlib(path):
        return read_sndlib(path)
    return read_npz(path)


def load_history(path: Path, topology: Topology) -> History:
    """Read a history for a topology, its gaps filled, as models need it.

    Where the names of its nodes are the labels or the names of the topology's hosts, in whatever
    order, they decide which row is which host; else the rows follow the order of the hosts.

    Raises:
        HistoryError: it cannot be read, or does not fit the topology.
    """
    history = read_history(path)
    hosts = tuple(host.name for host in topology.hosts)
    if len(history.hosts) != len(hosts):
        raise HistoryError(
            f"{path}: {len(history.hosts)} nodes, but {topology.name} has {len(hosts)} hosts: "
            "give another history, or another topology"
        )
    if history.steps < MIN_STEPS:
        raise HistoryError(f"{path}: {history.steps} matrices: give at least {MIN_STEPS}")
    if history.gaps.all():
        raise HistoryError(f"{path}: all of it is gaps: give a history of traffic")
    if gaps := int(history.gaps.sum()):
        share = 100 * history.gaps.mean()
        _log.warning("%s: %d gaps (%.2g %%) are interpolated", path, gaps, share)
    order = _order(path, history.hosts, topology)
    ordered_bps = history.filled().matrices_bps[:, order][:, :, order]
    if not ordered_bps.any():
        raise HistoryError(f"{path}: all rates are zero: give a history of traffic")
    return replace(history, hosts=hosts, matrices_bps=np.ascontiguousarray(ordered_bps))


def _order(path: Path, nodes: Sequence[str], topology: Topology) -> list[int]:
    """Rows of the file in the order of the topology's hosts."""
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
    return list(range(len(nodes)))


def _plain(name: str) -> str:
    """Spelling that survives the conversions between data sets (ATLA-M5, ATLAM5)."""
    return "".join(filter(str.isalnum, name)).lower()

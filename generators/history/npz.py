"""Matrices in an .npz file of plain arrays, the form in which histories are also written.

`tm_kbps` (steps, hosts, hosts) holds kbit/s, NaN where nothing is known. Optional: `step_s`
(default 300); `nodes`, the names of the rows; `t0`, ISO 8601, or `start_s`, seconds after Monday
00:00, when step 0 begins; `labels`, a word for each step. Written is `unix_s`, too, where the date
is known: `t0` as Unix time, by the source's own clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from generators.history.assembly import unix_time_s
from generators.history.structure import (
    MONDAY_S,
    WEEK_S,
    YEAR_10000_S,
    History,
    HistoryError,
)
from generators.schedule import NPZ_ERRORS
from topologies.whole_file import written_whole

_DEFAULT_STEP_S = 300.0


def read_npz(path: Path) -> History:
    """Read such a file.

    Raises:
        HistoryError: it is missing, damaged, or holds something else.
    """
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise HistoryError(f"{path}: one bare array: store it as tm_kbps with numpy.savez")
        with file as arrays:
            if "tm_kbps" not in arrays:
                found = ", ".join(arrays.files) or "nothing"
                raise HistoryError(f"{path}: no array tm_kbps in it (found: {found}): name it so")
            return _history(path, arrays)
    except NPZ_ERRORS as error:
        hint = "write plain numeric arrays with numpy.savez"
        raise HistoryError(f"{path}: not a readable .npz file ({error}): {hint}") from error


def write_npz(history: History, path: Path) -> None:
    """Write `history`; `read_npz` gives it back, exact to the bit.

    Raises:
        OSError: the file cannot be written.
    """
    dated: dict[str, Any] = {} if history.unix_s is None else {"unix_s": history.unix_s}
    with written_whole(path) as file:
        np.savez_compressed(
            file,
            tm_kbps=history.matrices_bps / 1e3,
            nodes=np.array(history.hosts, dtype=np.str_),
            step_s=np.float64(history.step_s),
            start_s=np.float64(history.start_s),
            labels=np.array(history.labels, dtype=np.str_),
            **dated,
        )


def _history(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> History:
    matrices_kbps = arrays["tm_kbps"].astype(np.float64)
    shape = matrices_kbps.shape
    if len(shape) != 3 or shape[1] != shape[2]:
        raise HistoryError(
            f"{path}: tm_kbps has shape {shape}: give an array of shape (steps, hosts, hosts)"
        )
    bad = np.isinf(matrices_kbps) | (matrices_kbps < 0)
    if bad.any():
        step, source, target = (int(index) for index in np.argwhere(bad)[0])
        raise HistoryError(
            f"{path}: tm_kbps[{step}, {source}, {target}] is {matrices_kbps[step, source, target]}"
            f" ({int(bad.sum())} such cells): give finite rates of at least 0"
        )
    step_s = float(arrays["step_s"]) if "step_s" in arrays else _DEFAULT_STEP_S
    if not (np.isfinite(step_s) and step_s > 0):
        raise HistoryError(f"{path}: step_s is {step_s}: give the seconds between two matrices")
    diagonal = np.arange(shape[1])
    matrices_kbps[:, diagonal, diagonal] = 0.0
    nodes = _words(path, arrays, "nodes", shape[1]) or tuple(f"h{n + 1}" for n in range(shape[1]))
    labels = _words(path, arrays, "labels", shape[0])
    unix_s, start_s = _begin_s(arrays)
    return History(nodes, step_s, matrices_kbps * 1e3, start_s, labels, unix_s)


def _words(
    path: Path, arrays: Mapping[str, npt.NDArray[Any]], name: str, count: int
) -> tuple[str, ...]:
    words = tuple(map(str, arrays[name].tolist())) if name in arrays else ()
    if words and len(words) != count:
        raise HistoryError(f"{path}: {len(words)} {name} for {count}: give one for each, or none")
    return words


def _begin_s(arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[float | None, float]:
    """When step 0 begins: Unix time, if that is known, and seconds after Monday 00:00."""
    unix_s = float(arrays["unix_s"]) if "unix_s" in arrays else None
    if unix_s is not None and not 0 <= unix_s < YEAR_10000_S:
        raise ValueError(f"unix_s is {unix_s}, no date")
    if "t0" in arrays:
        unix_s = unix_time_s(datetime.fromisoformat(str(arrays["t0"])))
    if "start_s" in arrays:
        return unix_s, float(arrays["start_s"]) % WEEK_S
    return unix_s, 0.0 if unix_s is None else (unix_s - MONDAY_S) % WEEK_S

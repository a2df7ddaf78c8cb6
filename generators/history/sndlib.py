"""Dynamic traffic of SNDlib: a file for each matrix, in a folder or an archive, native or XML.

Orlowski et al., "SNDlib 1.0: survivable network design library", Networks 55(3), 2010; the formats
are described at sndlib.zib.de, "I/O formats". The time stands in META (`20040301-0005`) or at the
end of the name of the file.
"""

from __future__ import annotations

import re
import tarfile
import xml.sax
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from generators.history.assembly import Snapshot, assemble, unix_time_s
from generators.history.sndlib_native import read_native
from generators.history.sndlib_xml import read_xml
from generators.history.structure import History, HistoryError

_STAMP = re.compile(r"(\d{8})-(\d{4})(?!\d)")
_UNITS_BPS: Mapping[str, float] = {
    "BITPERSEC": 1.0,
    "KBITPERSEC": 1e3,
    "MBITPERSEC": 1e6,
    "GBITPERSEC": 1e9,
}
_GRANULARITY = re.compile(r"(\d+)\s*(s|sec|min|h|hour|day)s?$")
_SECONDS = {"s": 1, "sec": 1, "min": 60, "h": 3600, "hour": 3600, "day": 86_400}
_MATRIX = (".xml", ".txt", ".native")
_DAMAGED = (OSError, EOFError, RuntimeError, tarfile.TarError, zipfile.BadZipFile, zlib.error)
"""RuntimeError: a zip file that is encrypted, or packed in a way that is not known."""
_LARGEST_BYTES = 64 << 20
"""Of one matrix: more is no matrix."""


def is_sndlib(path: Path) -> bool:
    """Whether the name is one of what `read_sndlib` reads."""
    return path.is_dir() or path.name.lower().endswith(
        (".tgz", ".tar.gz", ".tar", ".zip", *_MATRIX)
    )


def read_sndlib(path: Path) -> History:
    """Read a folder or an archive (.tgz, .tar.gz, .zip) of matrices.

    Raises:
        HistoryError: naming the file and the line.
    """
    snapshots, steps_s = [], set()
    try:
        for name, content in _members(path):
            snapshot, step_s = _matrix(name, content)
            snapshots.append(snapshot)
            if step_s is not None:
                steps_s.add(step_s)
    except _DAMAGED as error:
        raise HistoryError(f"{path}: not a readable folder or archive ({error})") from error
    if len(steps_s) > 1:
        told = ", ".join(f"{step_s:g} s" for step_s in sorted(steps_s))
        raise HistoryError(f"{path}: matrices of different granularity ({told}): give one of them")
    return assemble(path, snapshots, next(iter(steps_s), None), sparse=True)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names, for messages, and contents of the matrices."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.suffix.lower() in _MATRIX and file.is_file():
                yield str(file), file.read_bytes()
    elif path.suffix.lower() in _MATRIX:
        yield str(path), path.read_bytes()
    elif path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.filename.lower().endswith(_MATRIX) and entry.file_size <= _LARGEST_BYTES:
                    yield f"{path}/{entry.filename}", archive.read(entry)
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.lower().endswith(_MATRIX) and member.size <= _LARGEST_BYTES:
                    stream = archive.extractfile(member)
                    if stream is not None:
                        yield f"{path}/{member.name}", stream.read()


def _matrix(name: str, content: bytes) -> tuple[Snapshot, float | None]:
    """The matrix, and the step that its META tells."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise HistoryError(f"{name}: not text ({error})") from error
    try:
        meta, demands = (read_xml if text.lstrip().startswith("<") else read_native)(name, text)
    except xml.sax.SAXParseException as error:
        where = f"{name}:{error.getLineNumber()}"
        raise HistoryError(f"{where}: not well-formed XML ({error.getMessage()})") from error
    unit = meta.get("unit", "MBITPERSEC").upper()
    if unit not in _UNITS_BPS:
        raise HistoryError(f"{name}: unit {unit}: give one of {', '.join(_UNITS_BPS)}")
    cells = {pair: value * _UNITS_BPS[unit] for pair, value in demands.items()}
    granularity = _GRANULARITY.match(meta.get("granularity", ""))
    step_s = float(granularity[1]) * _SECONDS[granularity[2]] if granularity else None
    return Snapshot(_time_s(name, meta), cells, name), step_s


def _time_s(name: str, meta: Mapping[str, str]) -> float:
    stamp = _STAMP.search(meta.get("time", "")) or _STAMP.search(Path(name).name)
    if stamp is None:
        raise HistoryError(f"{name}: no time, such as 20040301-0005, in its META or its name")
    try:
        return unix_time_s(datetime.strptime("".join(stamp.groups()), "%Y%m%d%H%M"))
    except ValueError as error:
        raise HistoryError(f"{name}: {stamp[0]} is no time ({error})") from error

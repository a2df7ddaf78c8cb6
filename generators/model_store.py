"""Where trained models are kept: by name and version, each with a record of what it is.

A model is a file of weights (`model_files.py`) and, beside it, its record as JSON and perhaps a
page of pictures. Training under a name that is taken makes a new version.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import resource
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from generators.history import History
from topologies.whole_file import written_whole

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_STEM = re.compile(r"(?P<name>.+)-v(?P<version>\d+)")


class ModelStoreError(Exception):
    """There is no such model, or the store cannot be used; the message says what there is."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a stored model is."""

    name: str
    version: int
    kind: str
    """What was trained: "gan", "vae", "forecaster" or "twin-rl"."""
    trained_at: str
    """ISO 8601, UTC."""
    hosts: tuple[str, ...] = ()
    step_s: float | None = None
    history: str = ""
    """The file, as it was named; "built-in" for the one that is made up; "" if it is not known."""
    topology: str | None = None
    history_steps: int = 0
    history_sha256: str = ""
    seed: int | None
    """None: it is kept secret."""
    scores: Mapping[str, float]
    """By the history it was trained on (of the GAN: `fidelity.py`), and what the training says.
    One that could not be told is left out."""
    without_privacy: Mapping[str, float] | None = None
    """The scores of what learns from the same history without privacy: what privacy costs."""
    seconds: float
    """That the training took, up to interruptions included."""
    peak_memory_mb: float
    """The most that the process held, libraries included."""
    weights_sha256: str
    dp_epsilon: float | None = None
    dp_delta: float | None = None


def record_of(
    weights: Path,
    *,
    name: str,
    version: int,
    kind: str,
    seed: int | None,
    scores: Mapping[str, float | None],
    seconds: float,
    without_privacy: Mapping[str, float | None] | None = None,
    history: History | None = None,
    source: str = "",
    **more: Any,
) -> Record:
    """Return the record of what this process has just trained, and written to `weights`.

    `source` is the file of the history, `more` what else a `Record` holds.

    Raises:
        OSError: the weights cannot be read.
    """
    if history is not None:
        more |= {"hosts": history.hosts, "step_s": history.step_s, "history_steps": history.steps}
        more |= {"history": source, "history_sha256": history_sha256(history)}
    return Record(
        name=name,
        version=version,
        kind=kind,
        trained_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        seed=seed,
        scores=_known(scores),
        without_privacy=None if without_privacy is None else _known(without_privacy),
        seconds=round(seconds, 2),
        peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        weights_sha256=sha256_of(weights.read_bytes()),
        **more,
    )


def _known(scores: Mapping[str, float | None]) -> dict[str, float]:
    """Those that are numbers: JSON knows neither NaN nor infinity."""
    known = ((name, score) for name, score in scores.items() if score is not None)
    return {name: score for name, score in known if math.isfinite(score)}


class ModelStore:
    """A folder of models."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()

    def next_version(self, name: str) -> int:
        """Return the version that the next model of this name gets.

        Raises:
            ModelStoreError: that is no name.
        """
        if not _NAME.fullmatch(name) or _STEM.fullmatch(name):
            raise ModelStoreError(
                f"{name!r} is no name for a model: letters, digits, dots, dashes, 64 at most"
            )
        return max((one.version for one in self.records() if one.name == name), default=0) + 1

    def weights(self, name: str, version: int) -> Path:
        """Return the file of a model's weights."""
        return self.folder / f"{name}-v{version}.pt"

    def page(self, name: str, version: int) -> Path:
        """Return the file of a model's pictures."""
        return self.folder / f"{name}-v{version}.html"

    def checkpoint(self, name: str) -> Path:
        """Return the file that keeps a training of this name."""
        return self.folder / f"{name}.checkpoint"

    def add(self, record: Record) -> None:
        """Write the record of a model whose weights are there.

        Raises:
            OSError: it cannot be written.
        """
        path = self.weights(record.name, record.version).with_suffix(".json")
        with written_whole(path) as file:
            file.write(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")

    def records(self) -> list[Record]:
        """Return all records, by name and version.

        Raises:
            ModelStoreError: one is damaged.
        """
        found = []
        for path in self.folder.glob("*.json"):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=Record))
            except (OSError, msgspec.DecodeError) as error:
                raise ModelStoreError(
                    f"{path}: no record of a model ({error}): remove it"
                ) from error
        return sorted(found, key=lambda one: (one.name, one.version))

    def find(self, words: str) -> tuple[Record, Path]:
        """Return the record and the weights of NAME (its newest version) or NAME@VERSION.

        Raises:
            ModelStoreError: there is none, or its weights are not those that were stored.
        """
        name, _, version = words.partition("@")
        records = self.records()
        ours = [one for one in records if one.name == name and version in ("", str(one.version))]
        if not ours:
            known = ", ".join(f"{one.name}@{one.version}" for one in records) or "none"
            raise ModelStoreError(
                f"no model {words} in {self.folder} (there: {known}): "
                "train one with `twinbed train gan`"
            )
        record = ours[-1]
        path = self.weights(record.name, record.version)
        try:
            digest = sha256_of(path.read_bytes())
        except OSError as error:
            raise ModelStoreError(
                f"{path}: its weights cannot be read: {error.strerror}"
            ) from error
        if digest != record.weights_sha256:
            raise ModelStoreError(
                f"{path}: not the weights that were stored (truncated, or replaced): train it anew"
            )
        return record, path


def default_folder() -> Path:
    """Return `$XDG_DATA_HOME/twinbed/models`, with the default of the XDG base directory rules."""
    home = os.environ.get("XDG_DATA_HOME", "")
    base = Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "share"
    return base / "twinbed" / "models"


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def history_sha256(history: History) -> str:
    """Return a hash of what a model can learn from a history."""
    digest = hashlib.sha256(history.matrices_bps.tobytes())
    digest.update(repr((history.hosts, history.step_s, history.start_s, history.labels)).encode())
    return digest.hexdigest()

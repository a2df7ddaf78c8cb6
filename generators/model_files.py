"""Weight files: tensors and plain metadata, no code; written whole or not at all."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import torch

_UNREADABLE = (
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    MemoryError,
    pickle.UnpicklingError,
    struct.error,
)
"""What reading a damaged file ends in, depending on where the damage is."""


class ModelFileError(Exception):
    """A file that should hold a trained model does not."""


def save_model(path: Path, kind: str, content: dict[str, Any]) -> None:
    """Write `content` (tensors, numbers, strings, lists and dicts of them) as a `kind` of model."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        torch.save({"kind": kind, **content}, unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_model(path: Path, kind: str) -> dict[str, Any]:
    """Read what `save_model` wrote; runs no code from the file (`weights_only`).

    Raises:
        ModelFileError: the file is missing, damaged, or another kind of model.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ModelFileError(f"{path}: no readable model ({error})") from error
    if not isinstance(content, dict) or content.get("kind") != kind:
        raise ModelFileError(f"{path}: not a model of the kind {kind}")
    return content

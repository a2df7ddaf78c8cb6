"""Weight files: tensors and plain metadata, no code; written whole or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from topologies.whole_file import written_whole


class ModelFileError(Exception):
    """A file that should hold a trained model does not."""


def save_model(path: Path, kind: str, content: dict[str, Any]) -> None:
    """Write `content` (tensors, numbers, strings, lists and dicts of them) as a `kind` of model.

    The same content gives the same bytes.

    Raises:
        OSError: the file cannot be written.
    """
    whole = io.BytesIO()  # torch puts the name of a file into it
    torch.save({"kind": kind, **content}, whole)
    with written_whole(path) as file:
        file.write(whole.getbuffer())


def load_model(path: Path, kind: str) -> dict[str, Any]:
    """Read what `save_model` wrote; runs no code from the file (`weights_only`).

    Raises:
        ModelFileError: the file is missing, damaged, or another kind of model.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what torch raises for foreign bytes is not documented
        why = str(error).partition("\n")[0] or type(error).__name__
        raise ModelFileError(f"{path}: no readable model ({why})") from error
    if not isinstance(content, dict) or content.get("kind") != kind:
        raise ModelFileError(f"{path}: not a model of the kind {kind}")
    return content

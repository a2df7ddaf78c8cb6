"""A JSON Lines file that is still being written, read as it grows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class GrowingFile(Generic[T]):
    """Gives every line once; `kind` is a type, or a union of tagged ones."""

    def __init__(self, path: Path, kind: type[T]) -> None:
        self._path = path
        self._decoder = msgspec.json.Decoder(kind)
        self._read_bytes = 0

    def new(self) -> Iterator[T]:
        """What has been written since the last time; an incomplete last line waits for its end.

        Raises:
            OSError: the file cannot be read (one that is missing has no lines yet).
            msgspec.DecodeError: a complete line is no `kind`.
        """
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._read_bytes += len(line)
                yield self._decoder.decode(line)

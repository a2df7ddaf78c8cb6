"""Addresses of Unix sockets whose path is longer than the 107 bytes that unix(7) allows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOCKET_NAME = "northbound.sock"
"""File name of the northbound socket in the run directory."""

_LONGEST = 107


@contextmanager
def socket_address(path: Path) -> Iterator[str]:
    """An address to bind or connect to that means `path`, valid within the context.

    Raises:
        OSError: the directory of `path` cannot be opened.
    """
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)

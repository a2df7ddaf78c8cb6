"""Locks between commands: the kernel lets go of them whenever and however their holder ends."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from typing import IO


def take(lock: IO[bytes], will_wait: Callable[[], None]) -> None:
    """Lock an open file; told first if somebody else holds it, whose end is waited for.

    Raises:
        OSError: its file system knows no locks.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        will_wait()
        fcntl.flock(lock, fcntl.LOCK_EX)

"""The journal of all messages, which one controller after the other appends to."""

from __future__ import annotations

import os
from typing import IO

_CHUNK_BYTES = 1 << 16


def remove_cut_off_line(journal: IO[bytes]) -> None:
    """Remove a last line without its newline: the death of its writer has cut it off."""
    end = journal.seek(0, os.SEEK_END)
    while end > 0:
        begin = max(0, end - _CHUNK_BYTES)
        journal.seek(begin)
        end = begin + journal.read(end - begin).rfind(b"\n") + 1
        if end > begin:
            break
    journal.truncate(end)

from __future__ import annotations

from pathlib import Path

import pytest

from controller.journal import remove_cut_off_line

LONG = b"x" * 200_000


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b'{"seq":1}\n{"seq":2}\n', b'{"seq":1}\n{"seq":2}\n'),
        (b'{"seq":1}\n{"se', b'{"seq":1}\n'),
        (b'{"se', b""),
        (b"a\n" + LONG, b"a\n"),
        (LONG + b"\n" + LONG, LONG + b"\n"),
        (LONG, b""),
    ],
)
def test_a_line_that_the_death_of_its_writer_cut_off_is_removed(
    before: bytes, after: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "telemetry.jsonl"
    path.write_bytes(before)
    with path.open("a+b", buffering=0) as journal:
        remove_cut_off_line(journal)
        journal.write(b"more\n")
    assert path.read_bytes() == after + b"more\n"

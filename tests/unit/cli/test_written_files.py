"""What the verbs write, and what they say where they cannot."""

from __future__ import annotations

import errno
import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli import bench, calibrate, demo, execution
from cli.main import main
from results.run_directory import RunDirectory

PAGE = "h1 → h2"


@pytest.fixture
def plain_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    """That of a machine where nobody has chosen UTF-8."""
    monkeypatch.setattr(io, "text_encoding", lambda encoding, _=0: encoding or "ascii")


@pytest.mark.usefixtures("plain_locale")
def test_pages_are_utf_8_whatever_the_locale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = RunDirectory(tmp_path / "run")
    run_dir.path.mkdir()
    monkeypatch.setattr(execution, "analyse", lambda _: None)
    monkeypatch.setattr(execution, "reported_run", lambda *_: None)
    monkeypatch.setattr(execution, "run_report", lambda _: PAGE)
    execution._analyse(run_dir)

    finished = SimpleNamespace(run_dir=run_dir, summary=None)
    monkeypatch.setattr(demo, "execute", lambda *_: finished)
    monkeypatch.setattr(demo, "compare", lambda *_: None)
    monkeypatch.setattr(demo, "_report", lambda *_: PAGE)
    monkeypatch.setattr(demo, "comparison_table", lambda _: "")
    monkeypatch.setattr(demo, "exit_code", lambda _: 0)
    assert main(["demo", "--out", str(tmp_path)]) == 0

    bench._write(tmp_path / "table.md", PAGE)
    for written in (run_dir.report, tmp_path / "demo.html", tmp_path / "table.md"):
        assert written.read_bytes() == PAGE.encode()


def test_the_file_that_a_calibration_cannot_write_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def collect(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/tmp/a-lab")

    monkeypatch.setattr(calibrate, "collect", collect)
    assert main(["calibrate"]) == 2
    told = "twinbed: /tmp/a-lab cannot be written: No space left on device"
    assert capsys.readouterr().err.splitlines()[-1] == told

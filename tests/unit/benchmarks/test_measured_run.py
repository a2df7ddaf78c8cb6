"""A lab that is run for what it tells, without a lab."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import measured_run as module
from benchmarks.measured_run import measured_run
from playbooks.bare_run import BareRun
from playbooks.runner import Interrupted
from results.run_directory import RunDirectory
from testbed.sandbox import Sandbox

SANDBOX = Sandbox(as_root=False)


def prepared(folder: Path) -> BareRun:
    (folder / "run").mkdir()
    return BareRun(RunDirectory(folder / "run"), SANDBOX)


def test_what_the_run_left_is_read_before_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_lab(run_dir: RunDirectory, sandbox: Sandbox, _: object) -> None:
        assert sandbox is SANDBOX
        run_dir.events.write_text("it ran")

    def read(run_dir: RunDirectory) -> tuple[Path, str]:
        return run_dir.path, run_dir.events.read_text()

    monkeypatch.setattr(module, "run_lab", run_lab)
    path, told = measured_run(prepared, read)
    assert told == "it ran"
    assert not path.parent.exists()


def test_an_interrupted_run_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = []

    def run_lab(run_dir: RunDirectory, *_: object) -> None:
        folders.append(run_dir.path.parent)
        raise Interrupted

    monkeypatch.setattr(module, "run_lab", run_lab)
    with pytest.raises(Interrupted):
        measured_run(prepared, lambda _: None)
    assert not folders[0].exists()

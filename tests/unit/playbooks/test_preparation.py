"""From a playbook to a run directory, without models and on any machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generators.history import HistoryError
from playbooks import preparation
from playbooks.preparation import Request, prepare
from playbooks.schema import builtin_playbook


@pytest.mark.parametrize("error", [KeyboardInterrupt(), HistoryError("too short"), OSError("full")])
def test_a_preparation_that_came_to_no_end_leaves_no_run_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def train(_topology: object, _history: object, folder: Path, _progress: object) -> Any:
        (folder / "vae.pt").touch()
        raise error

    for name in ("check_programs", "probe_sandbox", "choose_backend", "probe", "chosen_history"):
        monkeypatch.setattr(preparation, name, lambda *_: None)
    monkeypatch.setattr(preparation, "prepare_models", train)
    other = tmp_path / "another-run"
    other.mkdir()
    request = Request(builtin_playbook("high-load"), "shortest-path", 0, tmp_path)
    with pytest.raises(type(error)):
        prepare(request, lambda *_: None)
    assert list(tmp_path.iterdir()) == [other]

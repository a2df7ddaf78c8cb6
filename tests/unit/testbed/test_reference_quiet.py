from __future__ import annotations

import time
from pathlib import Path

import pytest

from testbed.reference import quiet

pytestmark = pytest.mark.usefixtures("uptime")


@pytest.fixture
def uptime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of one processor, which never idles unless the test says so."""
    file = tmp_path / "uptime"
    file.write_text("100.00 50.00\n")
    monkeypatch.setattr(quiet, "_UPTIME", file)
    monkeypatch.setattr(quiet, "_LOOK_S", 0.01)
    monkeypatch.setattr(quiet, "_PATIENCE_S", 0.1)
    monkeypatch.setattr("os.cpu_count", lambda: 1)


def test_a_machine_that_is_never_idle_is_not_waited_for_forever() -> None:
    start_s = time.monotonic()
    quiet.await_quiet()
    assert 0.1 <= time.monotonic() - start_s < 10.0


def test_an_idle_machine_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "_PATIENCE_S", 60.0)
    idles = iter(range(1, 100))
    monkeypatch.setattr(quiet, "_idle_s", lambda: float(next(idles)))
    start_s = time.monotonic()
    quiet.await_quiet()
    assert time.monotonic() - start_s < 30.0

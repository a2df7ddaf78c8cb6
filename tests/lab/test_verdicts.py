"""A run for each verdict: valid, degraded, and beside other load on the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from results.run_directory import RunDirectory

SMALL = Path(__file__).parent / "small.yaml"
TIMEOUT_S = 300


def start(playbook: Path, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cli", "run", str(playbook), "--json", "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def verdict_of(run: subprocess.Popen[str]) -> dict[str, Any]:
    """What `twinbed run --json` says; the exit code must fit the verdict."""
    output, errors = run.communicate(timeout=TIMEOUT_S)
    document: dict[str, Any] = json.loads(output)
    assert document["valid"] == (document["verdict"] != "invalid")
    assert run.returncode == (0 if document["valid"] else 3), errors
    return document


def await_event(event: str, out: Path) -> None:
    """Wait until the run in `out` has come to `event`."""
    deadline_s = time.monotonic() + TIMEOUT_S
    while not any(event in file.read_text() for file in out.glob("*/events.jsonl")):
        assert time.monotonic() < deadline_s, f"no {event}"
        time.sleep(0.02)


@contextmanager
def busy_machine() -> Iterator[None]:
    """Twice as many busy loops as processors, before other processes if that is allowed."""
    nice = ["nice", "-n", "-5"] if os.geteuid() == 0 else []
    loop = [*nice, sys.executable, "-c", "while True: pass"]
    loops = [subprocess.Popen(loop) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        yield
    finally:
        for one in loops:
            one.kill()
            one.wait()


def test_an_ordinary_run_is_valid_or_says_why_not(tmp_path: Path) -> None:
    document = verdict_of(start(SMALL, tmp_path))
    if document["verdict"] != "valid":  # this machine is too busy for the tests' own sake
        assert document["reasons"] or document["warnings"]
        pytest.skip(f"not idle: {document['reasons']} {document['warnings']}")
    assert document["reasons"] == document["warnings"] == []
    directory = RunDirectory(tmp_path / document["run"])
    fidelity = json.loads(directory.summary.read_text())["details"]["fidelity"]
    assert {one["verdict"] for one in fidelity["measures"]} == {"valid"}
    assert fidelity["idle_paths"] == {"checked": 6, "arrived": 6}
    assert all(one["arrived"] == one["sent"] for one in fidelity["idle_links"])
    # The link that fails drops what is under way; all links carry something.
    assert all(link["received"] > 0 for link in fidelity["links"])
    assert "Links checked idle" in directory.report.read_text()


def test_a_tightened_bound_makes_a_run_degraded(tmp_path: Path) -> None:
    playbook = tmp_path / "tight.yaml"
    # No frame crosses a link without any delay beyond the configured one.
    tight = "fidelity: {idle_path_error_ms: {degraded: 0.001}}\n"
    playbook.write_text(SMALL.read_text() + tight)
    document = verdict_of(start(playbook, tmp_path / "runs"))
    assert document["verdict"] in ("degraded", "invalid")
    assert any("off its configured delay" in one for one in document["warnings"])
    assert any("at most 0.001 ms" in one for one in document["warnings"])


def test_a_run_beside_other_load_is_not_called_valid(tmp_path: Path) -> None:
    run = start(SMALL, tmp_path)
    await_event("traffic-start", tmp_path)
    with busy_machine():
        await_event("traffic-end", tmp_path)
    document = verdict_of(run)
    assert document["verdict"] == "invalid"
    assert any("busy for" in reason for reason in document["reasons"])

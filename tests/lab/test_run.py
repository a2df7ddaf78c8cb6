"""Whole runs, as a user starts them: what they measure, and what they leave when they are ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from results.run_directory import Event, RunDirectory, read_lines
from testbed.labs import RunningLab, running_labs

PLAYBOOK = Path(__file__).parent / "small.yaml"
TIMEOUT_S = 300


def start(out: Path, policy: str = "twin") -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cli", "run", str(PLAYBOOK), "--policy", policy, "--json"]
    return subprocess.Popen(
        [*command, "--out", str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s, f"waited in vain for {what}"
        time.sleep(0.02)


def lab_in(out: Path) -> RunningLab | None:
    return next((lab for lab in running_labs() if out in lab.run_dir.parents), None)


def events(out: Path) -> list[str]:
    return [event.event for path in out.glob("*/events.jsonl") for event in read_lines(path, Event)]


def processes_of(run_dir: Path) -> list[str]:
    """Every process that carries the run directory in its environment."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if str(run_dir).encode() in environ.read_bytes():
                found.append((environ.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def namespaces() -> set[str]:
    """All network namespaces that some process is in."""
    names = set()
    for link in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            names.add(str(link.readlink()))
        except OSError:
            continue
    return names


def machine() -> tuple[str, str]:
    """The machine's own interfaces and mounts."""
    interfaces = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True, check=True)
    names = "\n".join(line.split()[0] for line in interfaces.stdout.splitlines())
    return names, Path("/proc/self/mounts").read_text()


@pytest.fixture
def untouched() -> Iterator[None]:
    """The machine must be afterwards as it was before."""
    before, known = machine(), namespaces()
    yield
    wait_for(lambda: namespaces() <= known, "the lab's namespaces to go")
    assert machine() == before


@pytest.mark.usefixtures("untouched")
def test_a_run_measures_what_it_promises(tmp_path: Path) -> None:
    run = start(tmp_path)
    output, errors = run.communicate(timeout=TIMEOUT_S)
    assert run.returncode in (0, 3), errors  # 3: this machine was too busy, and says so
    document = json.loads(output)
    assert document.keys() == {
        *("run", "playbook", "policy", "protection", "seed", "metrics"),
        *("verdict", "valid", "reasons", "warnings"),
    }
    assert document["valid"] == (run.returncode == 0)
    metrics = document["metrics"]
    assert metrics["error_rate_percent"] < 20
    assert metrics["latency_ms"]["p50"] > 0
    assert metrics["outage_ms"]["n"] >= 1
    assert metrics["outage_ms"]["never_recovered"] == 0
    directory = RunDirectory(next(tmp_path.iterdir()))
    for file in (
        *(directory.summary, directory.report, directory.telemetry, directory.twin),
        *(directory.idle, directory.links, directory.fidelity),
    ):
        assert file.stat().st_size > 0
    assert "link-down" in events(tmp_path)


@pytest.mark.usefixtures("untouched")
def test_ctrl_c_ends_a_run_in_order_and_keeps_what_was_recorded(tmp_path: Path) -> None:
    run = start(tmp_path)
    wait_for(lambda: "measure-start" in events(tmp_path), "the measurement")
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=TIMEOUT_S)
    assert run.returncode == 130
    assert "Traceback" not in errors
    assert events(tmp_path)[-1] == "interrupted"
    summary = json.loads(next(tmp_path.glob("*/summary.json")).read_text())
    assert summary["valid"] is False
    assert RunDirectory(next(tmp_path.iterdir())).probes.stat().st_size > 0
    assert not list(tmp_path.glob("*/probes-*"))


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("victim", ["command", "sandbox", "supervisor", "ovs-vswitchd", "twin"])
def test_kill_9_leaves_nothing_behind(tmp_path: Path, victim: str) -> None:
    run = start(tmp_path)
    wait_for(lambda: "measure-start" in events(tmp_path), "the measurement")
    lab = lab_in(tmp_path)
    assert lab is not None
    os.kill(pid_of(victim, run.pid, lab), signal.SIGKILL)
    _, errors = run.communicate(timeout=TIMEOUT_S)
    if victim != "command":
        assert run.returncode == 3, errors
        assert "problem" in events(tmp_path)
    wait_for(lambda: not processes_of(lab.run_dir), "the lab's processes to go")
    assert lab_in(tmp_path) is None
    assert "traffic-start" in events(tmp_path)


def pid_of(victim: str, command: int, lab: RunningLab) -> int:
    if victim == "command":
        return command
    if victim == "sandbox":
        return lab.sandbox_pid
    pattern = {
        "supervisor": "-m playbooks.supervisor",
        "ovs-vswitchd": "ovs-vswitchd",
        "twin": "-m twin ",
    }[victim]
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = cmdline.read_text().replace("\0", " ")
            environ = (cmdline.parent / "environ").read_bytes()
        except OSError:
            continue
        if str(lab.run_dir).encode() in environ and re.search(pattern, words):
            if words.startswith(("setpriv", "unshare")):
                continue  # names the supervisor only because it has started it
            return int(cmdline.parent.name)
    raise AssertionError(f"there is no {victim}")


@pytest.mark.usefixtures("untouched")
def test_two_labs_at_once_do_not_notice_each_other(tmp_path: Path) -> None:
    runs = [start(tmp_path / name, "shortest-path") for name in ("one", "other")]
    wait_for(
        lambda: all("measure-start" in events(tmp_path / n) for n in ("one", "other")),
        "both to measure",
    )
    assert len({lab.run_dir for lab in running_labs() if tmp_path in lab.run_dir.parents}) == 2
    for run in runs:
        output, errors = run.communicate(timeout=TIMEOUT_S)
        assert run.returncode in (0, 3), errors
        assert json.loads(output)["metrics"]["outage_ms"]["never_recovered"] == 0

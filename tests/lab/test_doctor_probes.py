"""The real doctor on this machine, and what it says when a program is missing, broken or hung."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import doctor_fidelity
from cli.main import main
from testbed.reference.capacity import Capacity
from testbed.reference.delay import Delay
from testbed.reference.rate import Tcp

TIMEOUT_S = 300
DOCTOR = [sys.executable, "-m", "cli", "doctor", "--json"]
HANGING = "sleep 86399"


def examine(path: str) -> tuple[int, dict[str, Any], dict[str, dict[str, Any]]]:
    """Exit code, document, and its parts by name, with another PATH."""
    done = subprocess.run(
        DOCTOR,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    document = json.loads(done.stdout)
    return done.returncode, document, {part["name"]: part for part in document["parts"]}


def first_in_path(directory: Path, name: str, script: str) -> str:
    """A PATH in which a command is that script."""
    command = directory / name
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


def path_without(directory: Path, name: str) -> str:
    """A PATH that has every command but one."""
    for folder in map(Path, os.get_exec_path()):
        for command in folder.iterdir() if folder.is_dir() else ():
            if command.name != name and not (directory / command.name).is_symlink():
                (directory / command.name).symlink_to(command)
    return str(directory)


def test_a_machine_that_runs_these_tests_can_run_labs() -> None:
    code, document, parts = examine(os.environ["PATH"])
    assert code == 0
    assert document["usable"]
    assert document["links"] == os.environ["TWINBED_TEST_BACKEND"]
    keys = {"name", "available", "found", "required", "instead", "remedy"}
    assert all(keys <= part.keys() for part in document["parts"])
    for name in ("namespaces", "iperf 2", "irtt", "Ryu"):
        assert parts[name]["available"], parts[name]
    assert "arrived" in parts["iperf 2"]["found"]
    assert "came back" in parts["irtt"]["found"]
    assert "eventlet" in parts["Ryu"]["found"]
    assert parts["OVS userspace datapath"]["available"] or document["links"] == "kernel"
    assert {"clock", "timers", "load average", "stolen time"} <= parts.keys()


def test_a_missing_program_is_reported_with_its_mend(tmp_path: Path) -> None:
    code, document, parts = examine(path_without(tmp_path, "iperf"))
    assert code == 3
    assert not document["usable"]
    assert parts["iperf 2"]["found"] == "no command iperf"
    assert parts["iperf 2"]["remedy"] == "apt-get install iperf"
    assert parts["irtt"]["available"]


@pytest.mark.parametrize("fails", ["client", "server"])
def test_a_broken_program_is_reported_in_its_own_words(tmp_path: Path, fails: str) -> None:
    option = {"client": "-u", "server": "-s"}[fails]
    script = f"""
    case $1 in
        --version) echo iperf version 2.1.8 ;;
        {option}) echo {fails}: this does not work here >&2; exit 1 ;;
        *) PATH=${{PATH#*:}}; exec iperf "$@" ;;
    esac"""
    code, _, parts = examine(first_in_path(tmp_path, "iperf", script))
    assert code == 3
    assert parts["iperf 2"]["found"] == f"2.1.8: {fails}: this does not work here"
    assert "apt-get install" in parts["iperf 2"]["remedy"]


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    script = f"[ $1 != version ] || exec echo 0.9.0\nexec {HANGING}"
    environment = {**os.environ, "PATH": first_in_path(tmp_path, "irtt", script)}
    doctor = subprocess.Popen(DOCTOR, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        await_(hung_processes)
        doctor.send_signal(signal.SIGINT)
        _, errors = doctor.communicate(timeout=TIMEOUT_S)
    finally:
        doctor.kill()
        doctor.wait()
    assert doctor.returncode == 130
    assert errors.strip() == "twinbed: interrupted"
    await_(lambda: not hung_processes())


def test_the_limits_of_the_machine_are_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load = doctor_fidelity.Load(
        "frames/s", "{} frames/s", Capacity(2, 200, 500, 1000, 0.3), lambda one: one.frames_per_s
    )
    monkeypatch.setattr(doctor_fidelity, "REFERENCE", (Delay(5.0, load_mbps=0.0, pings=20),))
    monkeypatch.setattr(doctor_fidelity, "LOADS", (load,))
    code = main(["doctor", "--fidelity", "--json"])
    fidelity = json.loads(capsys.readouterr().out)["fidelity"]
    assert code == (0 if fidelity["passed"] else 1)
    assert all(target["measured"] is not None for target in fidelity["targets"])
    assert not any("failed" in row for row in fidelity["rows"])
    assert [limit["name"] for limit in fidelity["limits"]] == ["frames/s"]


def test_what_cannot_be_measured_is_shown_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = 'case "$*" in *10.99.*) exit 1 ;; esac\nPATH=${PATH#*:}; exec iperf "$@"'
    monkeypatch.setenv("PATH", first_in_path(tmp_path, "iperf", script))
    monkeypatch.setattr(doctor_fidelity, "REFERENCE", (Tcp(20.0, seconds=2),))
    monkeypatch.setattr(doctor_fidelity, "LOADS", ())
    assert main(["doctor", "--fidelity", "--json"]) == 1
    fidelity = json.loads(capsys.readouterr().out)["fidelity"]
    assert not fidelity["passed"]
    assert fidelity["targets"][0]["measured"] is None
    (row,) = fidelity["rows"]
    assert row["what"] == "TCP over 20 Mbit/s"
    assert "iperf reported no TCP goodput" in row["failed"]


def hung_processes() -> list[str]:
    """Processes of the hanging program, in whatever sandbox."""
    hung = "\0".join(HANGING.split()).encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it has just ended
        found += [process.name] if hung in command else []
    return found


def await_(condition: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)

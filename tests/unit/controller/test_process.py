"""The controller process without any switch: how it starts, refuses to start, and ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from fake_network import ring

from controller.messages import FromController, Hello, Routes
from controller.northbound_client import connect
from controller.runtime_choice import PACKAGES, VARIABLE, Runtime

PATIENCE_S = 30.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def start(run_dir: Path, port: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "controller", "--run-dir", run_dir, "--listen", f"127.0.0.1:{port}"],
        stderr=subprocess.PIPE,
        text=True,
    )


def refused(run_dir: Path, port: int) -> str:
    process = start(run_dir, port)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "Traceback" not in errors
    return errors


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    (tmp_path / "topology.json").write_bytes(msgspec.json.encode(ring(3)))
    return tmp_path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("runtime", PACKAGES)
def test_it_serves_its_clients_until_a_signal_ends_it(
    run_dir: Path, number: int, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, runtime)
    process = start(run_dir, free_port())
    with connect(run_dir / "northbound.sock", PATIENCE_S) as client:
        messages = [client.receive(PATIENCE_S) for _ in range(5)]
        process.send_signal(number)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert isinstance(messages[0], Hello)
    assert isinstance(messages[4], Routes)
    assert messages[4].routes == ()
    assert (process.returncode, errors) == (0, "")
    assert not (run_dir / "northbound.sock").exists()
    (line,) = (run_dir / "telemetry.jsonl").read_bytes().splitlines()
    assert isinstance(msgspec.json.decode(line, type=FromController), Hello)


def test_a_taken_port_is_refused(run_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}" in refused(run_dir, port)


def test_a_runtime_that_does_not_exist_is_refused(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "nox")
    assert f"{VARIABLE}=nox: choose one of ryu, os-ken" in refused(run_dir, free_port())


def test_a_bad_topology_is_refused(run_dir: Path) -> None:
    (run_dir / "topology.json").write_text("{}")
    assert "topology.json: Object missing required field" in refused(run_dir, free_port())


def test_a_run_directory_that_cannot_be_written_is_refused(run_dir: Path) -> None:
    (run_dir / "telemetry.jsonl").mkdir()
    assert f"cannot write to {run_dir}: Is a directory" in refused(run_dir, free_port())
    assert not (run_dir / "northbound.sock").exists()


def test_what_a_killed_controller_leaves_does_not_stop_the_next(run_dir: Path) -> None:
    first = start(run_dir, free_port())
    connect(run_dir / "northbound.sock", PATIENCE_S).close()
    os.kill(first.pid, signal.SIGKILL)
    first.communicate(timeout=PATIENCE_S)
    second = start(run_dir, free_port())
    connect(run_dir / "northbound.sock", PATIENCE_S).close()
    second.terminate()
    assert second.communicate(timeout=PATIENCE_S)[1] == ""
    assert second.returncode == 0

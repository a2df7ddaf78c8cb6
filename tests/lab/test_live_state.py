"""`routes`, `flows` and `events` of a run while it lasts, and of the same run afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from results.run_directory import Event, RunDirectory, read_lines
from testbed.labs import running_labs

PLAYBOOK = Path(__file__).parent / "small.yaml"
TIMEOUT_S = 300
CLI = [sys.executable, "-m", "cli"]


def await_traffic(out: Path) -> RunDirectory:
    deadline_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline_s:
        for path in out.glob("*"):
            run_dir = RunDirectory(path)
            if any(e.event == "traffic-start" for e in read_lines(run_dir.events, Event)):
                return run_dir
        time.sleep(0.05)
    raise AssertionError("no traffic")


def ask(*words: str) -> Any:
    done = subprocess.run([*CLI, *words, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def started() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts commands, and ends those that are left when the test is over."""
    running: list[subprocess.Popen[str]] = []

    def start(*words: str, stdout: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        command = [*CLI, *words]
        running.append(
            subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL, text=True)
        )
        return running[-1]

    yield start
    for one in running:
        one.terminate()  # a run ends its lab then
        one.wait(TIMEOUT_S)
        if one.stdout is not None:
            one.stdout.close()


def packets(tables: Any, pair: list[str]) -> int:
    return sum(
        flow["packets"]
        for switch in tables["switches"].values()
        for flow in switch["flows"]
        if flow["kind"] == "ingress" and flow["pair"] == pair
    )


def test_a_run_can_be_watched(
    tmp_path: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    run = started("run", str(PLAYBOOK), "--policy", "shortest-path", "--out", str(tmp_path))
    run_dir = await_traffic(tmp_path)
    (lab,) = [lab for lab in running_labs() if lab.run_dir == run_dir.path]
    follow = started("events", lab.run_id, "--follow", "--json", stdout=subprocess.PIPE)
    routes = ask("routes", lab.run_id)
    assert routes["live"]
    assert {route["cause"] for route in routes["routes"]} <= {"baseline", "restoration"}
    pair = [routes["routes"][0]["src"], routes["routes"][0]["dst"]]
    tables = ask("flows", str(run_dir.path))
    assert tables["live"]
    run.wait(TIMEOUT_S)
    told, _ = follow.communicate(timeout=TIMEOUT_S)
    assert follow.returncode == 0
    followed = [json.loads(line)["what"] for line in told.splitlines()]
    assert followed[-1] == "lab-stopped"
    assert {"controller-ready", "link-down", "port-down", "routes-restoration"} <= set(followed)
    assert sorted(followed) == sorted(
        event["what"] for event in ask("events", str(run_dir.path))["events"]
    )
    after = ask("flows", str(run_dir.path))
    assert not after["live"]
    assert packets(after, pair) >= packets(tables, pair)
    assert not ask("routes", str(run_dir.path))["live"]

"""`routes`, `flows` and `events` of a run while it lasts, and of the same run afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from results.run_directory import Event, RunDirectory, read_lines
from testbed.labs import running_labs

PLAYBOOK = Path(__file__).parent / "small.yaml"
TIMEOUT_S = 120
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


def packets(tables: Any, pair: list[str]) -> int:
    return sum(
        flow["packets"]
        for switch in tables["switches"].values()
        for flow in switch["flows"]
        if flow["kind"] == "ingress" and flow["pair"] == pair
    )


def test_a_run_can_be_watched(tmp_path: Path) -> None:
    command = [*CLI, "run", str(PLAYBOOK), "--policy", "shortest-path", "--out", str(tmp_path)]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run_dir = await_traffic(tmp_path)
    (lab,) = [lab for lab in running_labs() if lab.run_dir == run_dir.path]
    follow = subprocess.Popen(
        [*CLI, "events", lab.run_id, "--follow", "--json"], stdout=subprocess.PIPE, text=True
    )
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

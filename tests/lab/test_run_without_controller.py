"""Whole runs under spanning tree and OSPF: what they measure, and what other verbs say of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from results.run_directory import RunDirectory
from testbed.modes import missing_programs

PLAYBOOK = Path(__file__).parent / "small.yaml"
TIMEOUT_S = 300
needs_frr = pytest.mark.skipif(
    missing_programs("ospf") != (), reason="FRR is not installed: apt-get install frr"
)


def twinbed(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)


@pytest.mark.parametrize("mode", ["spanning-tree", pytest.param("ospf", marks=needs_frr)])
def test_a_run_without_controller_measures_what_it_can(tmp_path: Path, mode: str) -> None:
    run = twinbed("run", str(PLAYBOOK), "--policy", mode, "--out", str(tmp_path), "--json")
    assert run.returncode in (0, 3), run.stderr  # 3: this machine was too busy, and says so
    document = json.loads(run.stdout)
    metrics = document["metrics"]
    assert metrics["error_rate_percent"] < 20
    assert metrics["latency_ms"]["p50"] > 0
    assert 0 < metrics["max_link_utilisation"]["mean"] < 1.5
    assert metrics["te_ratio"]["mean"] > 0.9
    if mode == "ospf":  # a tree may do without the link that fails
        assert metrics["outage_ms"]["never_recovered"] == 0
    assert not {"predictive_skill", "false_alarms", "staleness_ms"} & set(metrics)
    (path,) = tmp_path.iterdir()
    assert RunDirectory(path).report.stat().st_size > 0
    routes = json.loads(twinbed("routes", str(path), "--json").stdout)["routes"]
    assert {route["cause"] for route in routes} == {"observed"}
    assert {"converged", "link-down", "routes-observed"} <= {
        event["what"]
        for event in json.loads(twinbed("events", str(path), "--json").stdout)["events"]
    }
    for verb in ("verify", "flows", "twin"):
        refused = twinbed(verb, str(path))
        assert refused.returncode == 2
        assert "without controller and twin" in refused.stderr.replace("\n", " ")

"""The kernel path (veth, HTB, netem, the OVS kernel datapath), in User-Mode Linux.

The tests of tests/lab that concern links and faults were run in the guest; each is one here.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SUITES = {
    "links": ["tests/lab/test_link_priority.py", "tests/lab/test_links.py"],
    "networks": ["tests/lab/test_network*.py", "tests/lab/test_fault*.py"],
    "limits": ["tests/lab/test_limits.py"],
}


def inner_tests(suite: str) -> list[str]:
    """Node ids of the tests in a suite."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    files = [str(file) for pattern in SUITES[suite] for file in CHECKOUT.glob(pattern)]
    collected = subprocess.run(
        [*command, *files], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    return [line for line in collected.stdout.splitlines() if "::" in line]


@functools.cache
def outcomes(report: Path) -> dict[str, str]:
    """Why each test of a report failed or was skipped (empty: it passed), by node id."""
    found = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        node_id = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"
        found[node_id] = "\n".join(f"{trouble.tag}: {trouble.text}" for trouble in case)
    return found


@pytest.mark.parametrize(
    ("suite", "node_id"), [(suite, node_id) for suite in SUITES for node_id in inner_tests(suite)]
)
def test_holds_in_the_kernel(guest: Path, suite: str, node_id: str) -> None:
    trouble = outcomes(guest / f"{suite}.xml").get(node_id, "it was not run")
    assert not trouble, trouble


def test_doctor_finds_the_kernel_path(guest: Path) -> None:
    document = json.loads((guest / "doctor.json").read_text())
    assert document["usable"]
    assert document["links"] == "kernel"
    available = {part["name"]: part["available"] for part in document["parts"]}
    assert available["netem and HTB"]
    assert available["OVS kernel datapath"]


def run_document(guest: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((guest / "run.json").read_text())
    return document


def test_a_run_is_complete_and_says_how_far_to_trust_it(guest: Path) -> None:
    # 3: one slow processor could not carry it, which the run itself has found out.
    assert (guest / "run-status").read_text().strip() in ("0", "3")
    document = run_document(guest)
    assert document["valid"] or document["reasons"]
    run_dir = next((guest / "runs").iterdir())
    manifest = json.loads((run_dir / "plan.json").read_text())
    assert manifest["backend"] == "kernel"
    for name in ("summary.json", "report.html", "telemetry.jsonl", "twin.jsonl", "probes.jsonl"):
        assert (run_dir / name).stat().st_size > 0
    events = [json.loads(line) for line in (run_dir / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events][-1] == "lab-stopped"
    assert "link-down" in {event["event"] for event in events}


def test_the_run_measured_the_outage(guest: Path) -> None:
    outage = run_document(guest)["metrics"]["outage_ms"]
    assert outage["n"] >= 1
    assert outage["never_recovered"] == 0
    assert outage["max"] > 0


def test_nothing_is_left_behind(guest: Path) -> None:
    assert (guest / "after").read_text() == (guest / "before").read_text()

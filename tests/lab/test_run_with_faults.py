"""A whole run in which everything fails once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from generators.records import Received, Segment, TrafficRecord
from results.fault_events import BEGINS, ENDS
from results.run_directory import Event, RunDirectory, read_lines
from testbed.records import ProbeStream

PLAYBOOK = Path(__file__).parent / "faults.yaml"
TIMEOUT_S = 300
INSTANT_ERROR_S = 0.5
"""On a quiet machine it is below 5 ms."""


def test_every_fault_happens_at_its_instant_and_none_spoils_the_run(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cli", "run", str(PLAYBOOK), "--policy", "shortest-path"]
    run = subprocess.run(
        [*command, "--json", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert run.returncode in (0, 3), run.stderr  # 3: this machine was too busy, and says so
    directory = RunDirectory(next(tmp_path.iterdir()))
    events = list(read_lines(directory.events, Event))
    assert [event.detail for event in events if event.event == "problem"] == []

    names = [event.event for event in events]
    for kind, begin in BEGINS.items():
        times = 2 if kind == "flap" else 1
        assert (names.count(begin), names.count(ENDS[kind])) == (times, times), kind
    for event in events:
        if "stated_s" in event.detail:
            assert 0 <= event.t_s - event.detail["stated_s"] < INSTANT_ERROR_S, event

    crashed_s, restarted_s = (
        next(event.t_s for event in events if event.event == name)
        for name in ("host-crash", "host-restart")
    )
    traffic = list(read_lines(directory.traffic, TrafficRecord))  # type: ignore[type-var]
    died = [s for s in traffic if isinstance(s, Segment) and s.host_crashed_s is not None]
    assert {segment.src for segment in died} == {"h3"}
    assert all(segment.error == "h3 had crashed" for segment in died)
    assert any(
        record.dst == "h3" and record.start_s > restarted_s
        for record in traffic
        if isinstance(record, Received)
    )
    for stream in read_lines(directory.probes, ProbeStream):
        assert (stream.host_crashed_s is not None) == ("h3" in stream.pair)
        assert all(sent_s < crashed_s for sent_s in stream.sent_s if "h3" in stream.pair)
        assert bool(stream.sent_s) == (stream.src != "h3")

    by_kind = json.loads(directory.summary.read_text())["details"]["outage_ms_by_kind"]
    assert {"end-down", "silent"} <= set(by_kind)
    assert by_kind["end-down"]["never_recovered"] == 0  # the controller was told of it
    assert by_kind["silent"]["max"] > 300  # and of this nobody

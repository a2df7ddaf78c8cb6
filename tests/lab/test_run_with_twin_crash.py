"""A whole run whose twin is killed and started again, in the middle of reroutes and a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from controller.messages import FromController, OdStats, RerouteDone, Routes
from results.run_directory import Event, RunDirectory, read_lines
from testbed.records import ProbeStream
from twin.records import Decision, Mirrored, TwinRecord

PLAYBOOK = Path(__file__).parent / "twin-crash.yaml"
POLICY = "swinging_policy:Swinging"
TIMEOUT_S = 300
SYNCHRONISED_S = 2.0
"""From its process's start until it mirrors the network, and until it decides."""
CUT = ("s1", "s2")
IN_FLIGHT_S = 0.1
"""What was sent so shortly before the link failed may still have been on it."""
FOLLOWS_S = 0.05
"""Until Open vSwitch's cache of flows has followed its tables, after a barrier."""


def test_the_controller_protects_without_a_twin_and_the_next_one_decides_again(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-m", "cli", "run", str(PLAYBOOK), "--policy", POLICY]
    run = subprocess.run(
        [*command, "--json", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert run.returncode in (0, 3), run.stderr  # 3: this machine was too busy, and says so
    directory = RunDirectory(next(tmp_path.iterdir()))
    events = list(read_lines(directory.events, Event))
    assert [event.detail for event in events if event.event == "problem"] == []
    at_s = {event.event: event.t_s for event in events}
    killed_s, started_s = at_s["twin-crash"], at_s["twin-crash-end"]

    twin = list(read_lines(directory.twin, TwinRecord))  # type: ignore[type-var]
    mirrored_s = [record.t_s for record in twin if isinstance(record, Mirrored)]
    decided_s = [record.t_s for record in twin if isinstance(record, Decision)]
    assert len(mirrored_s) == 2
    assert decided_s[0] < killed_s
    assert not [t_s for t_s in decided_s if killed_s < t_s < mirrored_s[1]]
    again_s = next(t_s for t_s in decided_s if t_s > killed_s)
    assert started_s < mirrored_s[1] <= again_s
    if run.returncode == 0:  # only what the machine could carry is a result
        assert again_s < started_s + SYNCHRONISED_S

    telemetry = list(read_lines(directory.telemetry, FromController))  # type: ignore[type-var]
    assert any(isinstance(m, OdStats) and killed_s < m.t_s < started_s for m in telemetry)
    assert any(isinstance(m, RerouteDone) and m.t_s > started_s for m in telemetry)

    down_s, up_s = at_s["link-down"], at_s["link-up"]
    assert killed_s < down_s < up_s < started_s
    restored = {
        (route.src, route.dst): (m.t_s, route.path)
        for m in telemetry
        if isinstance(m, Routes) and m.cause == "restoration" and down_s < m.t_s < up_s
        for route in m.routes
    }
    assert ("h2", "h1") in restored, "nobody but the controller ever moved it"
    for _, path in restored.values():
        assert not {CUT, CUT[::-1]} & set(pairwise(path))
    restored_s = max(t_s for t_s, _ in restored.values())
    lost_s = [
        t_s
        for stream in read_lines(directory.probes, ProbeStream)
        for t_s, forth, back in zip(
            stream.sent_s, stream.forward_ms, stream.backward_ms, strict=True
        )
        if killed_s <= t_s <= again_s and (forth is None or back is None)
    ]
    gone_s = down_s - IN_FLIGHT_S, restored_s + FOLLOWS_S
    assert not [t_s for t_s in lost_s if not gone_s[0] < t_s <= gone_s[1]]

"""What a shadow lab is given to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recorded_telemetry import network

from generators.schedule import Schedule
from playbooks import bare_run, shadow
from playbooks.plan import read_plan
from testbed.faults import LinkDown
from testbed.labs import RunningLab
from testbed.sandbox import Sandbox
from topologies.paths import shortest_paths
from twin.situation import Scenario, Situation, after


@pytest.fixture(autouse=True)
def _any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a lab needs is not needed to prepare one."""
    monkeypatch.setattr(bare_run, "check_programs", lambda: None)
    monkeypatch.setattr(bare_run, "probe_sandbox", lambda: Sandbox(as_root=False))
    monkeypatch.setattr(bare_run, "choose_backend", lambda _: "userspace")
    monkeypatch.setattr(bare_run, "probe", lambda: None)
    monkeypatch.setattr(bare_run, "versions", dict)


def situation() -> Situation:
    topology = network()
    return Situation(topology, "delay", shortest_paths(topology), np.array([3e6, 1e6]))


def test_a_situation_becomes_a_constant_matrix_with_its_failures_and_routes(tmp_path: Path) -> None:
    then = after(situation(), Scenario(fail_links=(("s1", "s2"),)))
    prepared = shadow.prepare_shadow(then, "x", tmp_path)
    plan = read_plan(prepared.run_dir.path)
    assert [action.fault for action in plan.actions] == [LinkDown(("s1", "s2"))]  # type: ignore[union-attr]
    assert {(route.src, route.dst): route.path for route in plan.routes} == {
        ("h1", "h2"): ("s1", "s3", "s2"),
        ("h2", "h1"): ("s2", "s3", "s1"),
    }
    schedule = Schedule.load(prepared.run_dir.schedule)
    assert schedule.matrices_bps[0].tolist() == [[0.0, 3e6], [1e6, 0.0]]
    assert (schedule.matrices_bps == schedule.matrices_bps[0]).all()
    assert plan.measure_from_s < plan.duration_s == schedule.duration_s
    assert prepared.run_dir.read_topology() == then.topology


def test_pairs_on_their_shortest_paths_need_not_be_placed(tmp_path: Path) -> None:
    placed = replace(
        situation(),
        routing={**situation().routing, ("h1", "h2"): ("s1", "s3", "s2")},
    )
    plan = read_plan(shadow.prepare_shadow(placed, "x", tmp_path).run_dir.path)
    assert [(route.src, route.dst) for route in plan.routes] == [("h1", "h2")]
    assert plan.actions == ()


def test_it_waits_for_a_lab_that_fills_the_machine_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab = RunningLab("busy-run", Path("/nowhere"), 1, 2, 0.0, "me")
    looks = iter([[lab], [lab], []])
    monkeypatch.setattr(shadow, "running_labs", lambda: next(looks))
    monkeypatch.setattr(shadow, "_LOOK_S", 0.0)
    monkeypatch.setattr(shadow.os, "sched_getaffinity", lambda _: {0, 1})
    said: list[str] = []
    shadow.await_room(said.append)
    (words,) = said
    assert "busy-run" in words


def test_a_machine_with_room_carries_both(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = RunningLab("busy-run", Path("/nowhere"), 1, 2, 0.0, "me")
    monkeypatch.setattr(shadow, "running_labs", lambda: [lab])
    monkeypatch.setattr(shadow.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    shadow.await_room(lambda words: pytest.fail(words))

"""What a shadow lab is given to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
from recorded_telemetry import network

from generators.schedule import Schedule
from playbooks import bare_run, shadow
from playbooks.plan import read_plan
from testbed.faults import Degraded, LinkDown
from testbed.labs import RunningLab
from testbed.sandbox import Sandbox
from topologies.model import LinkShape
from topologies.paths import shortest_paths
from twin.situation import Scenario, Situation, after


@pytest.fixture(autouse=True)
def _any_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a lab needs is not needed to prepare one."""
    monkeypatch.setattr(shadow, "default_cache_dir", lambda: tmp_path / "cache")
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
    prepared = shadow.prepare_shadow(then, "x", tmp_path / "runs")
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
    plan = read_plan(shadow.prepare_shadow(placed, "x", tmp_path / "runs").run_dir.path)
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
    with shadow.room(said.append):
        (words,) = said
    assert "busy-run" in words


def test_a_machine_with_room_carries_both(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = RunningLab("busy-run", Path("/nowhere"), 1, 2, 0.0, "me")
    monkeypatch.setattr(shadow, "running_labs", lambda: [lab])
    monkeypatch.setattr(shadow.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    with shadow.room(lambda words: pytest.fail(words)):
        pass


def test_one_shadow_runs_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow, "running_labs", list)
    first_is_over, second_says, second_has_room = Event(), Event(), Event()

    def second() -> None:
        with shadow.room(lambda _: second_says.set()):
            assert first_is_over.is_set()
            second_has_room.set()

    other = Thread(target=second)
    with shadow.room(lambda words: pytest.fail(words)):
        other.start()
        assert second_says.wait(60)
        first_is_over.set()
    other.join(60)
    assert second_has_room.is_set()


def test_a_shadow_has_the_links_and_the_transports_of_its_original(tmp_path: Path) -> None:
    worse = LinkShape(4e6, 30.0, loss_percent=2.0)
    then = replace(
        situation(),
        shapes={("s1", "s2"): worse, ("s2", "s3"): worse},
        tcp_pairs=frozenset({("h2", "h1")}),
        down=frozenset({("s2", "s3"), ("s3", "s2")}),
    )
    prepared = shadow.prepare_shadow(then, "x", tmp_path / "runs")
    plan = read_plan(prepared.run_dir.path)
    assert [action.fault for action in plan.actions] == [  # type: ignore[union-attr]
        LinkDown(("s2", "s3")),
        Degraded(("s1", "s2"), loss_percent=2.0, delay_ms=30.0, rate_bps=4e6),
    ]
    assert Schedule.load(prepared.run_dir.schedule).tcp_pairs == {("h2", "h1")}
    assert prepared.run_dir.read_topology() == then.topology, "as configured: the paths go by it"

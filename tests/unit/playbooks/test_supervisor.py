"""How a run ends that does not get to its end, without its lab."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from generators.schedule import Schedule
from playbooks import supervisor
from playbooks.plan import Plan
from playbooks.supervisor import LabError, Stopped, Supervisor
from results.run_directory import Event, RunDirectory
from testbed.links.backend import LinkError
from topologies.catalogue import load_topology

TRIANGLE = load_topology("triangle")


class Replay:
    problems = ()
    lead_s = 0.0

    def __init__(self, *_: object) -> None:
        pass

    def start_servers(self) -> None:
        pass

    def start(self, start_s: float) -> None:
        pass


class Probes:
    """Notes how often it was stopped."""

    stopped: list[dict[str, bool]]

    def __init__(self, *_: object) -> None:
        pass

    def start(self, *_: object) -> None:
        pass

    def stop(self, **how: bool) -> tuple[str, ...]:
        self.stopped.append(how)
        return ()


class Lab(Supervisor):
    """One that is up at once, and ends as it is told to in the middle of the measurement."""

    ending: Exception

    def _start(self) -> Any:
        return SimpleNamespace(hosts=None, addressing=SimpleNamespace(ipv4={}))

    def _check_idle(self, network: object) -> None:
        pass

    def _pause(self, until_s: float) -> None:
        del until_s
        raise self.ending


def plan() -> Plan:
    return Plan(
        policy="shortest-path",
        weight="delay",
        backend="userspace",
        interval_s=1.0,
        duration_s=4.0,
        measure_from_s=0.0,
        actions=(),
        probes=(),
        forecaster="",
        imputer="",
    )


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    for name in ("Replay", "Probes"):
        monkeypatch.setattr(supervisor, name, globals()[name])
    monkeypatch.setattr("testbed.sandbox.furnish", lambda _: None)
    Probes.stopped = []
    reading, _ = os.pipe()
    monkeypatch.setattr(sys, "stdin", os.fdopen(reading))
    run_dir = RunDirectory(tmp_path)
    run_dir.write_topology(TRIANGLE)
    hosts = tuple(host.name for host in TRIANGLE.hosts)
    Schedule(hosts, 1.0, np.zeros((4, 3, 3))).save(run_dir.schedule)
    manifest = SimpleNamespace(realtime_minus_monotonic_s=0.0)
    monkeypatch.setattr(RunDirectory, "read_manifest", lambda _: manifest)
    return Lab(run_dir, plan(), io.BytesIO())


def names(lab: Lab) -> list[str]:
    lines = cast(io.BytesIO, lab._events).getvalue().splitlines()
    return [msgspec.json.decode(line, type=Event).event for line in lines]


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (Stopped(), "interrupted"),
        (LabError("the twin ended"), "problem"),
        (LinkError("no carrier"), "problem"),
    ],
)
def test_probes_are_kept_however_a_run_ends_and_its_end_is_told_first(
    lab: Lab, ending: Exception, told: str
) -> None:
    lab.ending = ending
    with pytest.raises(type(ending)):
        lab.run()
    assert Probes.stopped == [{"in_a_hurry": True}]
    assert names(lab) == ["lab-starting", "lab-ready", told]

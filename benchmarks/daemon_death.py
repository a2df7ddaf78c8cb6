"""How soon a run notices that its link daemon has died."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

import msgspec

from playbooks.preparation import Request, prepare
from playbooks.runner import run_lab
from results.run_directory import Event, RunDirectory
from testbed.reference.errors import MeasurementError
from testbed.sandbox import RUN_DIR_VARIABLE

_DAEMON = "testbed.links.daemon"
_PLAYBOOK = """\
name: daemon-death
title: The link daemon dies
topology: {use: triangle}
traffic: {kind: normal, interval_s: 2, steps: 3, shortest_path_mlu: 0.3}
"""


class Noticed(msgspec.Struct, frozen=True):
    """What followed on `kill -9` of the link daemon in the middle of a run."""

    problem_ms: float
    """Until the run had said what is wrong, and that it is not valid."""
    over_ms: float
    """Until the lab was gone."""
    reason: str


class _Killer:
    """Listens to a run, and kills its link daemon as the measured window begins."""

    def __init__(self, run_dir: RunDirectory) -> None:
        self._run_dir = run_dir
        self.killed_s = 0.0
        self.problem: Event | None = None

    def __call__(self, event: Event) -> None:
        if event.event == "measure-start" and not self.killed_s:
            pid = _daemon_of(self._run_dir)
            self.killed_s = time.monotonic()
            os.kill(pid, signal.SIGKILL)
        elif event.event == "problem" and self.problem is None:
            self.problem = event


def measure() -> Noticed:
    """Run a small lab of three switches and kill its link daemon.

    Raises:
        MeasurementError: the run did not get that far, or did not notice.
    """
    with tempfile.TemporaryDirectory(prefix="twinbed-death-") as folder:
        playbook = Path(folder) / "daemon-death.yaml"
        playbook.write_text(_PLAYBOOK)
        request = Request(playbook, "shortest-path", 1, Path(folder) / "runs", None)
        prepared = prepare(request, lambda _step, _share: None)
        killer = _Killer(prepared.run_dir)
        run_lab(prepared.run_dir, prepared.sandbox, killer)
        over_s = time.monotonic()
    if killer.problem is None:
        raise MeasurementError("the run did not notice the death of its link daemon")
    reason = str(killer.problem.detail["reason"])
    if not killer.killed_s:
        raise MeasurementError(f"the run ended too early: {reason}")
    return Noticed(
        problem_ms=1000 * (killer.problem.t_s - killer.killed_s),
        over_ms=1000 * (over_s - killer.killed_s),
        reason=reason,
    )


def _daemon_of(run_dir: RunDirectory) -> int:
    """The process id, as we see it, of the run's link daemon."""
    variable = f"{RUN_DIR_VARIABLE}={run_dir.path}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:  # it has just ended, or belongs to somebody else
            continue
        if _DAEMON.encode() in words and variable in environment:
            return int(process.name)
    raise MeasurementError("the run has no link daemon")

"""Runs a prepared run directory in a sandbox and passes on what happens there."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable

import msgspec

from results.run_directory import Event, RunDirectory
from testbed.sandbox import Sandbox

_STOP_TIMEOUT_S = 25.0
"""Probes write their reports meanwhile, which may take 20 s."""


class Interrupted(Exception):  # noqa: N818 (not an error: somebody asked for it)
    """Ctrl-C, or what counts as it, ended the run; what was recorded until then is kept."""


def run_lab(run_dir: RunDirectory, sandbox: Sandbox, listen: Callable[[Event], None]) -> None:
    """Run the lab of `run_dir` to its end, telling `listen` every event as it happens.

    A lab that fails says so with a "problem" event, which makes the run invalid.

    Raises:
        Interrupted: the run was ended from outside, in order.
    """
    run_dir.logs.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "playbooks.supervisor", str(run_dir.path)]
    with (run_dir.logs / "supervisor.log").open("ab") as log:
        lab = sandbox.open(command, run_dir.path, log)
        try:
            last = _follow(lab, listen)
        except KeyboardInterrupt:
            _stop(lab)
            raise Interrupted from None
        finally:
            lab.kill()  # by now it has ended, unless an exception brought us here
            status = lab.wait()
    if last not in ("lab-stopped", "problem"):
        listen(_record_death(run_dir, status))


def _follow(lab: subprocess.Popen[bytes], listen: Callable[[Event], None]) -> str:
    """Pass on events until the lab ends; the name of the last one."""
    assert lab.stdout is not None
    last = ""
    for line in lab.stdout:
        event = msgspec.json.decode(line, type=Event)
        listen(event)
        last = event.event
    return last


def _stop(lab: subprocess.Popen[bytes]) -> None:
    """The end of its standard input tells the supervisor to end the lab."""
    assert lab.stdin is not None
    lab.stdin.close()
    try:
        lab.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        lab.kill()


def _record_death(run_dir: RunDirectory, status: int) -> Event:
    """The supervisor could not say what happened to it: we do."""
    log = run_dir.logs / "supervisor.log"
    how = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit code {status}"
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    reason = f"the lab died ({how}): {last[0] if last else 'no last words'} (see {log})"
    event = Event(t_s=time.monotonic(), event="problem", detail={"reason": reason})
    with run_dir.events.open("ab") as events:
        events.write(msgspec.json.encode(event) + b"\n")
    return event

"""The labs that are running now, read from the process table: there is no register to go stale.

A lab's sandbox is opened by an `unshare` process that carries `TWINBED_RUN_DIR` and is a child of
the `twinbed` command. The lab ends by itself when that command ends. See proc(5).
"""

from __future__ import annotations

import os
import pwd
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.sandbox import RUN_DIR_VARIABLE

_PROC = Path("/proc")
_OPENER = "unshare"


@dataclass(frozen=True)
class RunningLab:
    """One lab, as the process table shows it."""

    run_id: str
    run_dir: Path
    pid: int
    """Of the `twinbed` command; of the sandbox if it has lost its command."""
    sandbox_pid: int
    """Of the `unshare` process that holds the sandbox."""
    started_s: float
    """Unix time."""
    user: str
    """Whose command it is."""


@dataclass(frozen=True)
class _Process:
    pid: int
    name: str
    parent: int
    started_s: float


def running_labs() -> list[RunningLab]:
    """Every lab whose processes we may read, oldest first; root sees everybody's."""
    labs: dict[Path, RunningLab] = {}
    openers = [process for process in _processes() if process.name == _OPENER]
    for opener in sorted(openers, key=lambda process: process.started_s):
        try:
            run_dir = _run_dir(opener.pid)
            command = _command(opener)
            owner = (_PROC / str(command)).stat().st_uid
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has just ended, or belongs to somebody else
        if run_dir is None or run_dir in labs:
            continue  # not a lab, or something that a lab itself has started
        labs[run_dir] = RunningLab(
            run_id=run_dir.name,
            run_dir=run_dir,
            pid=command,
            sandbox_pid=opener.pid,
            started_s=opener.started_s,
            user=_user_name(owner),
        )
    return list(labs.values())


def stop(lab: RunningLab, timeout_s: float = 60.0) -> bool:
    """Ask the lab's command to end, and wait until it and its sandbox are gone.

    It analyses what has been recorded before it does.

    Returns True if it ended in time by itself, False if it had to be killed. A lab that is already
    gone has ended in time.

    Raises:
        PermissionError: it belongs to somebody else.
    """
    with _watched(lab.pid) as command, _watched(lab.sandbox_pid) as sandbox:
        _send(command, signal.SIGTERM)
        in_time = _wait(command, timeout_s)
        if not in_time:
            _send(command, signal.SIGKILL)
            _wait(command, timeout_s)
        # The kernel ends the sandbox with the command: this takes milliseconds.
        _wait(sandbox, timeout_s)
    return in_time


def _processes() -> Iterator[_Process]:
    boot_s = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    for entry in _PROC.iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            stat = (entry / "stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        # "pid (name) state ppid ...": the name may hold blanks and brackets.
        name = stat[stat.index("(") + 1 : stat.rindex(")")]
        fields = stat[stat.rindex(")") + 2 :].split()
        yield _Process(
            int(entry.name), name, int(fields[1]), boot_s + int(fields[19]) / ticks_per_s
        )


def _command(opener: _Process) -> int:
    """The process to end. An orphan's parent is init, or a user's session: never that one."""
    parent_program = (_PROC / str(opener.parent) / "exe").readlink().name
    return opener.parent if parent_program.startswith("python") else opener.pid


def _run_dir(pid: int) -> Path | None:
    prefix = f"{RUN_DIR_VARIABLE}=".encode()
    for variable in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
        if variable.startswith(prefix):
            return Path(os.fsdecode(variable[len(prefix) :]))
    return None


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


@contextmanager
def _watched(pid: int) -> Iterator[int | None]:
    """A pidfd, so that nobody else is hit if the number is given to a new process; None if gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _send(pidfd: int | None, number: signal.Signals) -> None:
    if pidfd is None:
        return
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return  # it has just ended: what we wanted


def _wait(pidfd: int | None, timeout_s: float) -> bool:
    """Whether the process has ended within the timeout."""
    if pidfd is None:
        return True
    readable, _, _ = select.select([pidfd], [], [], timeout_s)
    return bool(readable)

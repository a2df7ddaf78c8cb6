"""The processes of a lab: started by the supervisor, watched over, ended in order."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

CONTROLLER = "controller"
TWIN = "twin"
"""Their names among the processes."""

_GRACE_S = 0.8
"""How long a process may take to end by itself before it is killed."""


class Processes:
    """The lab's processes by name. All of them must live as long as the lab.

    `selector` gets a file descriptor per process, with the data "process", that becomes readable
    when it ends; see pidfd_open(2).
    """

    def __init__(self, log_dir: Path, selector: selectors.BaseSelector) -> None:
        self._log_dir = log_dir
        self._selector = selector
        self._commands: dict[str, tuple[str, ...]] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._own: list[str] = []
        self._pidfds: dict[int, str] = {}

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start one of the project's modules as a process of its own, its output going to a log."""
        self._commands[name] = (module, *arguments)
        command: Sequence[str] = [sys.executable, "-m", module, *arguments]
        with (self._log_dir / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._own.append(name)
        self.watch({name: process})

    def kill(self, name: str) -> None:
        """Kill a process that was started here; this is no reason to end the lab."""
        (pidfd,) = (pidfd for pidfd, one in self._pidfds.items() if one == name)
        self._selector.unregister(pidfd)
        del self._pidfds[pidfd]
        os.close(pidfd)
        self._own.remove(name)
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def restart(self, name: str) -> None:
        """Start a process again that was killed."""
        self.start(name, *self._commands[name])

    def watch(self, processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
        """Watch over processes that somebody else has started and will end."""
        for name, process in processes.items():
            self._running[name] = process
            pidfd = os.pidfd_open(process.pid)
            self._pidfds[pidfd] = name
            self._selector.register(pidfd, selectors.EVENT_READ, "process")

    def obituary(self, pidfd: int) -> str:
        """How the process that has ended came to its end, and where to read more."""
        name = self._pidfds[pidfd]
        status = self._running[name].wait()
        how = f"exit code {status}"
        if status < 0:
            how = f"signal {signal.Signals(-status).name}"
        log = self._log_dir / f"{name}.log"
        last = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
        return f"{name} ended in the middle of the run ({how}): {''.join(last) or 'no last words'}"

    def end(self) -> None:
        """End what this object started: first asked, then killed."""
        for name in self._own:
            self._running[name].terminate()
        for name in self._own:
            try:
                self._running[name].wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                self._running[name].kill()
                self._running[name].wait()
        for pidfd in self._pidfds:
            self._selector.unregister(pidfd)
            os.close(pidfd)
        self._own.clear()
        self._pidfds.clear()

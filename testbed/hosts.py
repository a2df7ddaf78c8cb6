"""Commands in the hosts of a lab."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO


class Hosts:
    """Starts processes inside the namespaces of the emulated hosts, with Mininet's mnexec."""

    def __init__(self, shell_pid: Mapping[str, int]) -> None:
        self._shell_pid = shell_pid

    def __contains__(self, node: str) -> bool:
        """Whether `node` has namespaces of its own: hosts and routers have, switches have not."""
        return node in self._shell_pid

    def pid(self, host: str) -> int:
        """A process in the namespaces of `host`, which lives as long as the lab."""
        return self._shell_pid[host]

    def start(
        self,
        host: str,
        argv: Sequence[str],
        stdout: IO[bytes] | int = subprocess.DEVNULL,
        stderr: IO[bytes] | int = subprocess.DEVNULL,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a command in `host`; the process is the command itself, not a wrapper."""
        return subprocess.Popen(
            ["mnexec", "-a", str(self._shell_pid[host]), *argv],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )

    def run(
        self, host: str, argv: Sequence[str], stdin: str = ""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command in `host` to its end."""
        return subprocess.run(
            ["mnexec", "-a", str(self._shell_pid[host]), *argv],
            input=stdin.encode(),
            capture_output=True,
            check=False,
        )

    def kill_all(self, host: str) -> None:
        """End every process in `host` with SIGKILL, except the shell that keeps its namespace."""
        shell = self._shell_pid[host]
        namespace = _network_namespace(shell)
        while victims := [pid for pid in _running() if _network_namespace(pid) == namespace]:
            if victims == [shell]:
                return
            for pid in victims:
                if pid != shell:
                    _kill(pid)


def _running() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _network_namespace(pid: int) -> str | None:
    """None for a process that has ended (its parent may not have asked for its fate yet)."""
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    except OSError:
        return None


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself
        os.kill(pid, signal.SIGKILL)

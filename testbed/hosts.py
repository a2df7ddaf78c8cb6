"""Commands in the hosts of a lab."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import IO


class Hosts:
    """Starts processes inside the namespaces of the emulated hosts, with Mininet's mnexec."""

    def __init__(self, shell_pid: Mapping[str, int]) -> None:
        self._shell_pid = shell_pid

    def start(
        self,
        host: str,
        argv: Sequence[str],
        stdout: IO[bytes] | int = subprocess.DEVNULL,
        stderr: IO[bytes] | int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a command in `host`; the process is the command itself, not a wrapper."""
        return subprocess.Popen(
            ["mnexec", "-a", str(self._shell_pid[host]), *argv],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )

    def run(self, host: str, argv: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        """Run a command in `host` to its end."""
        return subprocess.run(
            ["mnexec", "-a", str(self._shell_pid[host]), *argv], capture_output=True
        )

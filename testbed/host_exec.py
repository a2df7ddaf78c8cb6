"""What measuring needs of the hosts: processes started in them, and word when one is ready."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

_POLL_S = 0.005


class HostExec(Protocol):
    """Starts processes inside hosts."""

    def start(
        self,
        host: str,
        argv: Sequence[str],
        stdout: IO[bytes] | int = subprocess.DEVNULL,
        stderr: IO[bytes] | int = subprocess.DEVNULL,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start a command in `host`; the process is the command itself, not a wrapper."""
        ...


def await_udp_port(process: subprocess.Popen[bytes], port: int, deadline_s: float) -> bool:
    """Wait until `port` is bound in the network namespace of `process`, by /proc/PID/net/udp.

    Returns:
        False when the process ended first or CLOCK_MONOTONIC reached `deadline_s`.
    """
    while process.poll() is None:
        if _is_bound(process.pid, port):
            return True
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(_POLL_S)
    return False


def _is_bound(pid: int, port: int) -> bool:
    local_port = f":{port:04X}"
    rows = [row.split() for table in ("udp", "udp6") for row in _rows(pid, table)]
    return any(row[1].endswith(local_port) for row in rows)


def _rows(pid: int, table: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    except OSError:  # it has just ended, or this kernel has no IPv6
        return []

"""What measuring needs of the hosts: processes started in them, and word when one is ready."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Literal, Protocol

_POLL_S = 0.005
_LISTEN = "0A"
"""A state of TCP: tcp_states.h of the kernel."""


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
    """As `await_port`, of UDP."""
    return await_port(process, port, deadline_s, "udp")


def await_port(
    process: subprocess.Popen[bytes],
    port: int,
    deadline_s: float,
    transport: Literal["udp", "tcp"],
) -> bool:
    """Wait until `port` is bound in the network namespace of `process`, by /proc/PID/net/udp; in
    that of TCP, until somebody listens there.

    Returns:
        False when the process ended first or CLOCK_MONOTONIC reached `deadline_s`.
    """
    while process.poll() is None:
        if _is_bound(process.pid, port, transport):
            return True
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(_POLL_S)
    return False


def _is_bound(pid: int, port: int, transport: str) -> bool:
    local_port = f":{port:04X}"
    rows = [row.split() for table in (transport, f"{transport}6") for row in _rows(pid, table)]
    states = {_LISTEN} if transport == "tcp" else {row[3] for row in rows}
    return any(row[1].endswith(local_port) and row[3] in states for row in rows)


def _rows(pid: int, table: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    except OSError:  # it has just ended, or this kernel has no IPv6
        return []

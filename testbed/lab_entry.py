"""How to run a command inside a lab that runs already; see nsenter(1)."""

from __future__ import annotations

from pathlib import Path

from testbed.labs import RunningLab

_PROC = Path("/proc")


def entering(lab: RunningLab) -> list[str]:
    """What to put before a command, so that it sees the lab's own interfaces and daemons.

    Raises:
        OSError: the lab has ended, or belongs to somebody else.
    """
    spaces = ["--mount", "--net", "--uts", "--ipc"]
    if _user_namespace(str(lab.sandbox_pid)) != _user_namespace("self"):
        spaces = ["--user", "--preserve-credentials", *spaces]
    return ["nsenter", "--target", str(lab.sandbox_pid), *spaces, "--"]


def _user_namespace(process: str) -> Path:
    return (_PROC / process / "ns" / "user").readlink()

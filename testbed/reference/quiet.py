"""Waits for an idle machine: the kernel still takes one sandbox apart when the next one opens."""

from __future__ import annotations

import os
import time
from pathlib import Path

_UPTIME = Path("/proc/uptime")
_IDLE_SHARE = 0.95
_LOOK_S = 0.2
_PATIENCE_S = 5.0


def await_quiet() -> None:
    """Return when the processors have been idle for a moment, or after 5 s if they never are."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while _idle_share(_LOOK_S) < _IDLE_SHARE and time.monotonic() < deadline_s:
        pass


def _idle_share(seconds: float) -> float:
    """Of all processors, over the next `seconds`."""
    start_s, idle_s = time.monotonic(), _idle_s()
    time.sleep(seconds)
    return (_idle_s() - idle_s) / (time.monotonic() - start_s) / (os.cpu_count() or 1)


def _idle_s() -> float:
    """Of all processors together since boot; see proc_uptime(5)."""
    return float(_UPTIME.read_text().split()[1])

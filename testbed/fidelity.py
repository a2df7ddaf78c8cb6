"""How well the machine carries the lab: processor time and the lateness of the links."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from testbed.links.backend import LinkBackend
from testbed.records import FidelitySample

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class FidelityMonitor:
    """Samples the lab's use of the machine; each sample covers the time since the one before."""

    def __init__(self, links: LinkBackend, switch_pid: int) -> None:
        self._links = links
        daemon = links.processes().get("link-daemon")
        self._pids = {"switch": switch_pid} | ({"daemon": daemon.pid} if daemon else {})
        self._at_s = time.monotonic()
        self._machine = _machine_ticks()
        self._process = self._process_ticks()

    def sample(self) -> FidelitySample:
        """What happened since the last sample (or since the start)."""
        now_s, machine, process = time.monotonic(), _machine_ticks(), self._process_ticks()
        elapsed_s = max(now_s - self._at_s, 1e-3)
        busy, total = (new - old for new, old in zip(machine, self._machine, strict=True))

        def percent(name: str) -> float:
            ticks = process.get(name, 0) - self._process.get(name, 0)
            return 100.0 * ticks / _TICKS_PER_S / elapsed_s

        sample = FidelitySample(
            t_s=now_s,
            cpu_percent=100.0 * busy / total if total else 0.0,
            lateness_p99_ms=self._links.lateness_p99_ms(),
            daemon_cpu_percent=percent("daemon"),
            switch_cpu_percent=percent("switch"),
        )
        self._at_s, self._machine, self._process = now_s, machine, process
        return sample

    def _process_ticks(self) -> Mapping[str, int]:
        return {name: _ticks(pid) for name, pid in self._pids.items()}


def _machine_ticks() -> tuple[int, int]:
    """(busy, all) clock ticks of all processors since boot; see proc_stat(5)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def _ticks(pid: int) -> int:
    """User and system time of a process, all threads, in clock ticks; see proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])

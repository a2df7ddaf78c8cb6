"""How well the machine carries the lab: processor time and the lateness of the links."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from testbed.links.backend import LinkBackend
from testbed.records import FidelitySample, LinksSample
from topologies.model import Topology

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class FidelityMonitor:
    """Samples the lab's use of the machine; each sample covers the time since the one before.

    `switch_pid` is that of ovs-vswitchd; None where the kernel routes.
    """

    def __init__(self, topology: Topology, links: LinkBackend, switch_pid: int | None) -> None:
        self._directions = [one for link in topology.links for one in link.directions]
        self._links = links
        daemon = links.processes().get("link-daemon")
        pids = {"switch": switch_pid, "daemon": daemon.pid if daemon else None}
        self._pids = {name: pid for name, pid in pids.items() if pid is not None}
        self._at_s = time.monotonic()
        self._machine = _machine_ticks()
        self._process = self._process_ticks()
        self._switch_wait_ns = self._wait_ns()

    def sample(self) -> FidelitySample:
        """What happened since the last sample (or since the start)."""
        now_s, machine, process = time.monotonic(), _machine_ticks(), self._process_ticks()
        wait_ns = self._wait_ns()
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
            switch_cpu_percent=percent("switch") if "switch" in self._pids else None,
            switch_wait_percent=self._wait_percent(wait_ns, elapsed_s),
        )
        self._switch_wait_ns = wait_ns
        self._at_s, self._machine, self._process = now_s, machine, process
        return sample

    def sample_links(self) -> LinksSample:
        """What the links did since they were made."""
        counters = self._links.counters()
        return LinksSample(
            t_s=time.monotonic(),
            counters=tuple(counters[direction] for direction in self._directions),
        )

    def _process_ticks(self) -> Mapping[str, int]:
        return {name: _ticks(pid) for name, pid in self._pids.items()}

    def _wait_ns(self) -> int | None:
        return _wait_ns(self._pids["switch"]) if "switch" in self._pids else None

    def _wait_percent(self, wait_ns: int | None, elapsed_s: float) -> float | None:
        if wait_ns is None or self._switch_wait_ns is None:
            return None
        return 100.0 * (wait_ns - self._switch_wait_ns) / 1e9 / elapsed_s


def _machine_ticks() -> tuple[int, int]:
    """(busy, all) clock ticks of all processors since boot; see proc_stat(5)."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4], sum(fields)


def _ticks(pid: int) -> int:
    """User and system time of a process, all threads, in clock ticks; see proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _wait_ns(pid: int) -> int | None:
    """How long the main thread of a process has waited for a processor since it was started.

    The second field of /proc/PID/schedstat (Linux, Documentation/scheduler/sched-stats.rst), which
    kernels without CONFIG_SCHED_INFO do not have.
    """
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1])
    except FileNotFoundError:
        return None

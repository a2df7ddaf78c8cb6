"""How the twin itself is doing: what it costs, and how old its picture is."""

from __future__ import annotations

import time

import numpy as np

from twin.records import Health

REPORT_S = 5.0


class HealthMeter:
    """Collects the figures of one reporting period."""

    def __init__(self, now_s: float) -> None:
        self._start(now_s)

    def received(self) -> None:
        """A message came in."""
        self._messages += 1

    def stepped(self, seconds: float, telemetry_age_s: float) -> None:
        """A step took `seconds`, on counters of this age."""
        self._steps_ms.append(seconds * 1e3)
        if np.isfinite(telemetry_age_s):
            self._ages_ms.append(telemetry_age_s * 1e3)

    def report(self, now_s: float) -> Health | None:
        """The figures, once in every reporting period."""
        elapsed_s = now_s - self._start_s
        if elapsed_s < REPORT_S or not self._ages_ms:
            return None
        health = Health(
            t_s=now_s,
            cpu_percent=100 * (time.process_time() - self._start_cpu_s) / elapsed_s,
            tick_ms_p95=float(np.percentile(self._steps_ms, 95)),
            messages=self._messages,
            telemetry_age_ms_p95=float(np.percentile(self._ages_ms, 95)),
        )
        self._start(now_s)
        return health

    def _start(self, now_s: float) -> None:
        self._start_s = now_s
        self._start_cpu_s = time.process_time()
        self._steps_ms: list[float] = []
        self._ages_ms: list[float] = []
        self._messages = 0

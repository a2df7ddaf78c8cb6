"""The instants of a run as people read them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from results.run_directory import Event, Manifest
from results.timeline import traffic_start_s


@dataclass
class RunClock:
    """Time of day, and seconds since the traffic began: those of the playbook's timeline."""

    realtime_minus_monotonic_s: float
    start_s: float | None = None
    """None until the traffic has begun."""

    def note(self, events: Iterable[Event]) -> None:
        """Take in events, of which one may be the beginning of the traffic."""
        self.start_s = self.start_s or traffic_start_s(events)

    def time_of_day(self, t_s: float) -> str:
        """Local time, to the millisecond."""
        moment = datetime.fromtimestamp(t_s + self.realtime_minus_monotonic_s)
        return moment.isoformat(timespec="milliseconds").partition("T")[2]

    def in_run_s(self, t_s: float) -> float | None:
        """Seconds since the traffic began; negative before."""
        return None if self.start_s is None else round(t_s - self.start_s, 6)

    def in_run(self, t_s: float) -> str:
        """As `in_run_s`, to the millisecond; empty while it is not known."""
        seconds = self.in_run_s(t_s)
        return "" if seconds is None else f"{seconds:+.3f}"


def run_clock(manifest: Manifest, events: Iterable[Event]) -> RunClock:
    """The clock of a run, as far as it has come."""
    clock = RunClock(manifest.realtime_minus_monotonic_s)
    clock.note(events)
    return clock

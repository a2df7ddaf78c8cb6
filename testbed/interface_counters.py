"""What interfaces have seen; see /proc/net/dev in proc(5)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Seen:
    """By one interface, in one direction, since it was made."""

    bytes: int
    packets: int
    dropped: int


@dataclass(frozen=True)
class InterfaceCounters:
    """Of one interface."""

    received: Seen
    sent: Seen


def interface_counters(pid: int | None = None) -> dict[str, InterfaceCounters]:
    """Of every interface in the network namespace of a process; None: of this thread."""
    return parse(Path(f"/proc/{'thread-self' if pid is None else pid}/net/dev").read_text())


def parse(table: str) -> dict[str, InterfaceCounters]:
    """Counters by interface, out of the text of /proc/net/dev."""
    counters = {}
    for line in table.splitlines()[2:]:
        name, _, columns = line.partition(":")
        # bytes, packets, errors, drops, ... received, and from the ninth on, sent
        numbers = [int(column) for column in columns.split()]
        received, sent = (Seen(some[0], some[1], some[3]) for some in (numbers[:8], numbers[8:]))
        counters[name.strip()] = InterfaceCounters(received, sent)
    return counters

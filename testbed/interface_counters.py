"""How many packets interfaces have seen; see /proc/net/dev in proc(5)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Packets:
    """Packets of one interface since it was made."""

    received: int
    sent: int


def interface_packets(pid: int | None = None) -> dict[str, Packets]:
    """Packets of every interface in the network namespace of a process; None: in ours."""
    return parse(Path(f"/proc/{'self' if pid is None else pid}/net/dev").read_text())


def parse(table: str) -> dict[str, Packets]:
    """Packets by interface, out of the text of /proc/net/dev."""
    packets = {}
    for line in table.splitlines()[2:]:
        name, _, columns = line.partition(":")
        numbers = columns.split()  # bytes, packets, ... received, and from the ninth on, sent
        packets[name.strip()] = Packets(int(numbers[1]), int(numbers[9]))
    return packets

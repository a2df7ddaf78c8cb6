"""Fast-failover groups: which port a packet leaves by, decided by the switch itself.

A bucket is alive while its watched port is (OpenFlow 1.3, section 5.6.1); the first that lives is
used. Open vSwitch counts a port as alive while it has carrier and, where BFD runs, its session is
up.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Bucket:
    """Send by `output`, watched, with the VLAN tag `push` put on if there is one."""

    output: int
    push: int | None = None
    foreign: bool = False
    """As a switch describes it: it does or watches something else besides."""


@dataclass(frozen=True)
class Group:
    """One fast-failover group of one switch."""

    switch: str
    group_id: int
    buckets: tuple[Bucket, ...]
    foreign: bool = False
    """As a switch describes it: it is of another type."""

    @property
    def key(self) -> tuple[str, int]:
        """Two groups with one key replace one another."""
        return self.switch, self.group_id


@dataclass(frozen=True)
class GroupChange:
    """A group made, changed, or deleted together with every entry that points to it."""

    group: Group
    command: Literal["add", "modify", "delete"]


def missing(wanted: Iterable[Group], installed: Iterable[Group]) -> list[GroupChange]:
    """What gives switches the groups that are wanted."""
    there = {group.key: group for group in installed}
    return [
        GroupChange(group, "modify" if group.key in there else "add")
        for group in wanted
        if there.get(group.key) != group
    ]


def surplus(wanted: Iterable[Group], installed: Iterable[Group]) -> list[GroupChange]:
    """What takes away the groups that are not wanted."""
    kept = {group.key for group in wanted}
    return [GroupChange(group, "delete") for group in installed if group.key not in kept]

"""The entries that every switch should hold: what a switch that comes back is compared with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controller.flow_entries import EntryKey, FlowEntry


@dataclass(frozen=True)
class Change:
    """One entry put into its switch (replacing the one with its key), or removed from it."""

    entry: FlowEntry
    remove: bool = False


def put(entries: Iterable[FlowEntry]) -> list[Change]:
    """Changes that put `entries`."""
    return [Change(entry) for entry in entries]


def remove(entries: Iterable[FlowEntry]) -> list[Change]:
    """Changes that remove `entries`."""
    return [Change(entry, remove=True) for entry in entries]


class FlowTables:
    """The tables of every switch, by switch name."""

    def __init__(self, entries: Iterable[FlowEntry] = ()) -> None:
        self._tables: dict[str, dict[EntryKey, FlowEntry]] = {}
        self.apply(put(entries))

    def apply(self, changes: Iterable[Change]) -> None:
        """Carry out `changes`; to remove what is not there changes nothing, as in OpenFlow."""
        for change in changes:
            table = self._tables.setdefault(change.entry.switch, {})
            if change.remove:
                table.pop(change.entry.key, None)
            else:
                table[change.entry.key] = change.entry

    def of(self, switch: str) -> tuple[FlowEntry, ...]:
        """The entries of one switch."""
        return tuple(self._tables.get(switch, {}).values())

    def missing(self, switch: str, installed: Iterable[FlowEntry]) -> list[FlowEntry]:
        """The entries that should be on `switch` and are not, or are but do something else."""
        there = frozenset(installed)
        return [entry for entry in self.of(switch) if entry not in there]

    def surplus(self, switch: str, installed: Iterable[FlowEntry]) -> list[FlowEntry]:
        """Those of the `installed` entries that should not be on `switch`."""
        table = self._tables.get(switch, {})
        return [entry for entry in installed if entry.key not in table]

"""Labels that routes share: one for all paths to a host that run on together once they meet.

Such paths form a tree with the host's switch as its root, so a label leads on in one way from
every switch. Shortest paths are such a tree: a hundred switches then have a label for each host in
place of one for each pair, and a quarter of the entries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import pairwise

from controller.flow_entries import EntryKey, FlowEntry
from topologies.model import Split, Way


class Trees:
    """The trees of routes that are installed together; `fresh` gives the label of a new one."""

    def __init__(self, fresh: Callable[[], int]) -> None:
        self._fresh = fresh
        self._onward: defaultdict[str, dict[int, dict[str, str]]] = defaultdict(dict)
        """By host and label: the switch after each switch."""

    def label(self, target: str, way: Way) -> int:
        """The label of the first tree of `target` that a path agrees with, which it joins; a split
        has one of its own."""
        if isinstance(way, Split):
            return self._fresh()
        hops = tuple(pairwise(way))
        for label, onward in self._onward[target].items():
            if all(onward.get(here, there) == there for here, there in hops):
                onward.update(hops)
                return label
        label = self._fresh()
        self._onward[target][label] = dict(hops)
        return label


class References:
    """How many routes need an entry: it is put for the first and removed after the last."""

    def __init__(self) -> None:
        self._needed: dict[tuple[str, EntryKey], int] = {}

    def take(self, entries: Iterable[FlowEntry]) -> list[FlowEntry]:
        """Note that a route more needs each of `entries`; those that none needed before."""
        new = []
        for entry in entries:
            key = entry.switch, entry.key
            needed = self._needed.get(key, 0)
            self._needed[key] = needed + 1
            if not needed:
                new.append(entry)
        return new

    def give_up(self, entries: Iterable[FlowEntry]) -> list[FlowEntry]:
        """Note that a route less needs each of `entries`; those that none needs any more."""
        free = []
        for entry in entries:
            key = entry.switch, entry.key
            self._needed[key] -= 1
            if not self._needed[key]:
                del self._needed[key]
                free.append(entry)
        return free

"""Pairs whose packets clients of the controller have had dropped where they enter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from controller import adoption
from controller.flow_entries import FlowEntry, drop_entry
from controller.flow_table import Change
from topologies.addressing import Addressing
from topologies.model import OdPair, Topology


class Drops:
    """What clients want, which a switch that is away may not know yet."""

    def __init__(self, topology: Topology, addressing: Addressing) -> None:
        self._topology = topology
        self._addressing = addressing
        self._wanted: dict[OdPair, bool] = {}
        """Whether a pair is to be dropped, of those that have ever been."""

    @property
    def pairs(self) -> tuple[OdPair, ...]:
        """Those that are dropped."""
        return tuple(pair for pair, dropped in self._wanted.items() if dropped)

    def want(self, pair: OdPair, dropped: bool) -> Change:
        """Note that a client wants `pair` dropped, or no longer; the change that does it."""
        self._wanted[pair] = dropped
        return Change(self._entry(pair), remove=not dropped)

    def take_over(self, installed: Iterable[FlowEntry]) -> Iterator[FlowEntry]:
        """What an earlier controller has told a switch and nobody has taken back since."""
        for pair in adoption.drops(self._addressing, installed):
            if self._wanted.setdefault(pair, True):
                yield self._entry(pair)

    def lifted(self, installed: Iterable[FlowEntry]) -> Iterator[FlowEntry]:
        """What a switch still drops that is dropped no more."""
        for pair in adoption.drops(self._addressing, installed):
            if not self._wanted.get(pair, True):
                yield self._entry(pair)

    def _entry(self, pair: OdPair) -> FlowEntry:
        return drop_entry(self._addressing, pair, self._topology.switch_of[pair[0]])

"""Raw OpenFlow statistics as northbound counters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from controller.flow_entries import Match, pair_of
from controller.messages import GroupCounters, MeterCounters, OdCounters, PortCounters
from topologies.addressing import Addressing
from topologies.model import OdPair


def port_counters(
    addressing: Addressing, switch: str, stats: Iterable[Any]
) -> tuple[PortCounters, ...]:
    """OFPPortStats of one switch, for the ports that the topology knows, in port order."""
    known = (
        (stat, addressing.neighbour.get((switch, stat.port_no)))
        for stat in sorted(stats, key=lambda stat: int(stat.port_no))
    )
    return tuple(
        PortCounters(
            neighbour=neighbour,
            rx_packets=stat.rx_packets,
            tx_packets=stat.tx_packets,
            rx_bytes=stat.rx_bytes,
            tx_bytes=stat.tx_bytes,
            rx_dropped=stat.rx_dropped,
            tx_dropped=stat.tx_dropped,
        )
        for stat, neighbour in known
        if neighbour is not None
    )


def group_counters(stats: Iterable[Any]) -> tuple[GroupCounters, ...]:
    """OFPGroupStats of one switch, in the order of their numbers."""
    return tuple(
        GroupCounters(
            group_id=stat.group_id,
            packets=stat.packet_count,
            bytes=stat.byte_count,
            bucket_packets=tuple(bucket.packet_count for bucket in stat.bucket_stats),
        )
        for stat in sorted(stats, key=lambda stat: int(stat.group_id))
    )


def meter_counters(stats: Iterable[Any]) -> tuple[MeterCounters, ...]:
    """OFPMeterStats of one switch, in the order of their numbers."""
    return tuple(
        MeterCounters(
            meter_id=stat.meter_id,
            packets=stat.packet_in_count,
            bytes=stat.byte_in_count,
            dropped_packets=sum(band.packet_band_count for band in stat.band_stats),
            dropped_bytes=sum(band.byte_band_count for band in stat.band_stats),
        )
        for stat in sorted(stats, key=lambda stat: int(stat.meter_id))
    )


@dataclass(frozen=True)
class _Count:
    packets: int = 0
    bytes: int = 0

    def __add__(self, other: _Count) -> _Count:
        return _Count(self.packets + other.packets, self.bytes + other.bytes)


@dataclass
class _Entry:
    """The counters of one ingress entry, over all the lives of its switch."""

    base: _Count = _Count()
    last: _Count = _Count()

    def read(self, count: _Count) -> None:
        if count.packets < self.last.packets:
            self.base += self.last
        self.last = count


class OdTotals:
    """Adds up the counters of ingress entries, so that they never go backwards.

    A pair has an entry of its own, and one for each of its flows that has a path of its own; what
    an entry counted stays when it goes. An entry that is put again over itself keeps its counters;
    one in a switch that has lost its state starts from zero, and counts on from what was last read.
    """

    def __init__(self, addressing: Addressing) -> None:
        self._addressing = addressing
        self._entries: defaultdict[OdPair, defaultdict[Match, _Entry]]
        self._entries = defaultdict(lambda: defaultdict(_Entry))

    def update(self, switch: str, stats: Iterable[Any]) -> tuple[OdCounters, ...]:
        """OFPFlowStats of the ingress entries of `switch`, as totals per pair."""
        read: dict[OdPair, None] = {}
        for stat in stats:
            match = frozenset(stat.match.items())
            if pair := pair_of(self._addressing, switch, dict(match)):
                self._entries[pair][match].read(_Count(stat.packet_count, stat.byte_count))
                read[pair] = None
        return tuple(self._total(pair) for pair in read)

    def _total(self, pair: OdPair) -> OdCounters:
        entries = self._entries[pair].values()
        total = sum((entry.base + entry.last for entry in entries), _Count())
        return OdCounters(*pair, total.packets, total.bytes)

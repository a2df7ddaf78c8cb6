"""Raw OpenFlow statistics as northbound counters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from controller.flow_entries import pair_of
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


class OdTotals:
    """Adds up the counters of ingress entries, so that they never go backwards.

    An entry that is put again over itself keeps its counters; one in a switch that has lost its
    state starts from zero, and counts on from what was last read.
    """

    def __init__(self, addressing: Addressing) -> None:
        self._addressing = addressing
        self._base: dict[OdPair, _Count] = {}
        self._last: dict[OdPair, _Count] = {}

    def update(self, switch: str, stats: Iterable[Any]) -> tuple[OdCounters, ...]:
        """OFPFlowStats of the ingress entries of `switch`, as totals per pair."""
        return tuple(
            self._total(pair, _Count(stat.packet_count, stat.byte_count))
            for stat in stats
            if (pair := pair_of(self._addressing, switch, dict(stat.match.items())))
        )

    def _total(self, pair: OdPair, count: _Count) -> OdCounters:
        last = self._last.get(pair, _Count())
        base = self._base.get(pair, _Count())
        if count.packets < last.packets:
            base = _Count(base.packets + last.packets, base.bytes + last.bytes)
            self._base[pair] = base
        self._last[pair] = count
        return OdCounters(*pair, base.packets + count.packets, base.bytes + count.bytes)

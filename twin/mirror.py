"""The mirror: the state of the network as the controller's messages tell it.

What is not known is NaN, never zero: a switch that does not answer leaves a hole.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from controller.messages import (
    DatapathState,
    DropDone,
    FromController,
    GroupCounters,
    GroupStats,
    Hello,
    LinkDelays,
    LinkState,
    MeterCounters,
    MeterStats,
    OdStats,
    PortCounters,
    PortStats,
    Ready,
    Routes,
)
from topologies.model import DirectedLink, OdPair, Way
from topologies.splits import paths_of
from twin.counters import CounterSeries
from twin.indexing import FloatArray, Indexing, IntArray
from twin.probes import LinkProbes

FLOW_LAG_S = 0.25
"""Mean age of a flow counter when it is read: Open vSwitch refreshes them every 500 ms."""


class Mirror:
    """Counters, routes, link states and delays of one network.

    Arrays per link follow `Indexing.directions`, arrays per pair `Indexing.pairs`.
    """

    def __init__(self, indexing: Indexing, keep_s: float) -> None:
        self.indexing = indexing
        self.routing: dict[OdPair, Way] = {}
        self.ready = False
        """Whether the controller has placed its routes, and serves, since the last connection."""
        self.probes = LinkProbes(indexing, keep_s)
        self._connected: set[str] = set()
        self._down_ports: set[DirectedLink] = set()
        self._dropped: set[OdPair] = set()
        self._ports: dict[str, CounterSeries] = {}
        self._flows: dict[str, CounterSeries] = {}
        self._groups: dict[str, GroupStats] = {}
        self._meters: dict[str, MeterStats] = {}
        self._leaving: dict[str, IntArray] = {}
        self._arriving: dict[str, IntArray] = {}
        self._neighbours: dict[str, list[str]] = {}
        for switch in (s.name for s in indexing.topology.switches):
            neighbours = [b for a, b in indexing.directions if a == switch]
            self._neighbours[switch] = neighbours
            self._leaving[switch] = np.array([indexing.link[switch, n] for n in neighbours], int)
            self._arriving[switch] = np.array([indexing.link[n, switch] for n in neighbours], int)
            self._ports[switch] = CounterSeries(4 * len(neighbours), keep_s)
            self._flows[switch] = CounterSeries(len(indexing.pairs_of_switch[switch]), keep_s)

    def receive(self, message: FromController) -> None:
        """Take in one message; what became of reroutes, `routes` tells."""
        match message:
            case Hello():
                self.forget_state()
            case Ready():
                self.ready = True
            case DatapathState(datapath=switch, connected=connected):
                (self._connected.add if connected else self._connected.discard)(switch)
            case LinkState(datapath=switch, neighbour=neighbour, up=up):
                port = (switch, neighbour)
                (self._down_ports.discard if up else self._down_ports.add)(port)
            case Routes(routes=routes, dropped=dropped):
                self.routing.update({(r.src, r.dst): r.way for r in routes})
                self._dropped.update((pair.src, pair.dst) for pair in dropped)
            case DropDone(src=source, dst=target, dropped=dropped):
                (self._dropped.add if dropped else self._dropped.discard)((source, target))
            case PortStats():
                # A controller that lacks a switch never says that it is ready, but it counts.
                self.ready = self.ready or bool(self.routing)
                self._take_ports(message)
            case OdStats():
                self._take_flows(message)
            case GroupStats(datapath=switch, t_s=t_s):
                if switch not in self._groups or t_s > self._groups[switch].t_s:
                    self._groups[switch] = message
            case MeterStats(datapath=switch, t_s=t_s):
                if switch not in self._meters or t_s > self._meters[switch].t_s:
                    self._meters[switch] = message
            case LinkDelays():
                self.probes.receive(message)
            case _:
                pass

    def forget_state(self) -> None:
        """Forget what a snapshot will tell anew. Counters stay: their age shows."""
        self.ready = False
        self.routing.clear()
        self._connected.clear()
        self._down_ports.clear()
        self._dropped.clear()

    @property
    def dropped(self) -> frozenset[OdPair]:
        """Pairs that clients of the controller have had dropped."""
        return frozenset(self._dropped)

    @property
    def down(self) -> frozenset[DirectedLink]:
        """Both directions of every core link that has lost carrier at either end."""
        return frozenset(
            d for a, b in self._down_ports if (a, b) in self.indexing.link for d in ((a, b), (b, a))
        )

    @property
    def stranded(self) -> list[OdPair]:
        """Pairs whose route crosses a link that is down."""
        down = self.down
        return [
            pair
            for pair, way in self.routing.items()
            if any(hop in down for path in paths_of(way) for hop in pairwise(path))
        ]

    def newest_port_s(self, switch: str) -> float:
        """Time of the last port counters of `switch`."""
        return self._ports[switch].newest_s

    @property
    def answering(self) -> list[str]:
        """Switches connected to the controller."""
        return sorted(self._connected)

    def telemetry_age_s(self, now_s: float) -> float:
        """Age of the newest counter; infinite before the first."""
        return now_s - max(series.newest_s for series in self._ports.values())

    def groups(self, switch: str) -> tuple[GroupCounters, ...]:
        """The groups of `switch` as last counted."""
        return self._groups[switch].groups if switch in self._groups else ()

    def meters(self, switch: str) -> tuple[MeterCounters, ...]:
        """The meters of `switch` as last counted."""
        return self._meters[switch].meters if switch in self._meters else ()

    def counted(self) -> FloatArray:
        """(4, links) newest counters: bytes sent, bytes arrived, packets sent, packets arrived.

        Each by the switch at that end; NaN for hosts, and where nothing was counted.
        """
        counts = np.full((4, len(self.indexing.directions)), np.nan)
        for switch, series in self._ports.items():
            table = series.newest.reshape(4, -1)
            counts[::2, self._leaving[switch]] = table[::2]
            counts[1::2, self._arriving[switch]] = table[1::2]
        return counts

    def od_counted(self) -> FloatArray:
        """(pairs,) newest flow counters, in bytes; NaN where nothing was counted."""
        counts = np.full(len(self.indexing.pairs), np.nan)
        for switch, series in self._flows.items():
            counts[self.indexing.pairs_of_switch[switch]] = series.newest
        return counts

    def sent_bps(self, now_s: float, window_s: float) -> FloatArray:
        """(links,) offered to each link by its switch (for a host's uplink: what arrived).

        Where the sending switch is silent, what arrived at the far end stands in.
        """
        sent, arrived = self._unknown_links(), self._unknown_links()
        for switch, series in self._ports.items():
            rates = series.rates(now_s, window_s)
            self._spread(switch, rates, sent, arrived)
        return np.where(np.isnan(sent), arrived, sent)

    def mean_sent_bps(self, start_s: float, end_s: float) -> FloatArray:
        """(links,) as `sent_bps`, over [start_s, end_s)."""
        sent, arrived = self._unknown_links(), self._unknown_links()
        for switch, series in self._ports.items():
            self._spread(switch, series.mean_rates(start_s, end_s), sent, arrived)
        return np.where(np.isnan(sent), arrived, sent)

    def link_loss(self, start_s: float, end_s: float) -> FloatArray:
        """(links,) share of the packets sent over [start_s, end_s) that did not arrive.

        NaN where an end is unknown, where nothing was sent, and for access links (hosts have no
        counters).
        """
        return np.clip(self.counted_loss(start_s, end_s), 0.0, 1.0)

    def counted_loss(self, start_s: float, end_s: float) -> FloatArray:
        """(links,) as `link_loss`, but below zero where more arrived than was sent.

        The two ends are read at different times: what one second lacks, a neighbouring one has too
        many, so that only sums over several are exact.
        """
        sent, arrived = self._unknown_links(), self._unknown_links()
        for switch, series in self._ports.items():
            packets = series.mean_rates(start_s, end_s).reshape(4, -1)
            sent[self._leaving[switch]] = packets[2]
            arrived[self._arriving[switch]] = packets[3]
        known = sent > 0
        loss = np.full(len(sent), np.nan)
        loss[known] = 1 - arrived[known] / sent[known]
        loss[self.indexing.cores :] = np.nan
        return loss

    def outstanding_bits(self, t_s: float) -> FloatArray:
        """(links,) sent until `t_s` and not arrived by then, but for an unknown constant.

        NaN for access links, and where an end was not read around `t_s`.
        """
        sent, arrived = self._unknown_links(), self._unknown_links()
        for switch, series in self._ports.items():
            self._spread(switch, series.at(t_s), sent, arrived)
        return sent - arrived

    def frame_bits(self, now_s: float, window_s: float) -> FloatArray:
        """(links,) mean size of the frames on each link; NaN where none were sent."""
        sent, arrived = self._unknown_links(), self._unknown_links()
        for switch, series in self._ports.items():
            table = series.rates(now_s, window_s).reshape(4, -1)
            sizes = np.full((2, table.shape[1]), np.nan)
            np.divide(table[:2] * 8, table[2:], out=sizes, where=table[2:] > 0)
            sent[self._leaving[switch]], arrived[self._arriving[switch]] = sizes
        return np.where(np.isnan(sent), arrived, sent)

    def od_bps(self, now_s: float, window_s: float) -> FloatArray:
        """(pairs,) sent by each pair, from flow counters alone."""
        rates = np.full(len(self.indexing.pairs), np.nan)
        for switch, series in self._flows.items():
            rates[self.indexing.pairs_of_switch[switch]] = series.rates(now_s, window_s) * 8
        return rates

    def mean_od_bps(self, start_s: float, end_s: float) -> FloatArray:
        """(pairs,) mean sent over [start_s, end_s), the lag of flow counters allowed for."""
        rates = np.full(len(self.indexing.pairs), np.nan)
        for switch, series in self._flows.items():
            mean = series.mean_rates(start_s + FLOW_LAG_S, end_s + FLOW_LAG_S)
            rates[self.indexing.pairs_of_switch[switch]] = mean * 8
        return rates

    def flows_cover(self, end_s: float) -> bool:
        """Whether flow counters of all switches reach beyond `end_s`, their lag allowed for."""
        return all(s.newest_s >= end_s + FLOW_LAG_S for s in self._flows.values())

    def flow_hole(self, switch: str) -> tuple[float, float] | None:
        """The last gap in the flow counters of `switch`: times of the readings around it."""
        return self._flows[switch].hole

    def raw_od_bps(self, switch: str, start_s: float, end_s: float) -> FloatArray:
        """Mean sent by the pairs that enter at `switch`, between two of its readings."""
        return self._flows[switch].mean_rates(start_s, end_s) * 8

    def newest_flow_s(self, switch: str) -> float:
        """Time of the last flow counters of `switch`."""
        return self._flows[switch].newest_s

    def _take_ports(self, message: PortStats) -> None:
        of = {port.neighbour: port for port in message.ports}
        names = self._neighbours[message.datapath]
        if not all(name in of for name in names):
            return  # ports are still appearing while the lab starts
        columns = [_port_values(of[name]) for name in names]
        self._ports[message.datapath].add(message.t_s, np.array(columns, float).T.ravel())

    def _take_flows(self, message: OdStats) -> None:
        of = {(pair.src, pair.dst): pair.bytes for pair in message.pairs}
        pairs = self.indexing.pairs_of_switch[message.datapath]
        values = [of.get(self.indexing.pairs[index], np.nan) for index in pairs]
        self._flows[message.datapath].add(message.t_s, np.array(values, float))

    def _spread(
        self, switch: str, rates: FloatArray, sent: FloatArray, arrived: FloatArray
    ) -> None:
        table = rates.reshape(4, -1) * 8
        sent[self._leaving[switch]] = table[0]
        arrived[self._arriving[switch]] = table[1]

    def _unknown_links(self) -> FloatArray:
        return np.full(len(self.indexing.directions), np.nan)


def _port_values(port: PortCounters) -> tuple[int, int, int, int]:
    return port.tx_bytes, port.rx_bytes, port.tx_packets, port.rx_packets

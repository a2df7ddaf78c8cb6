"""A network of fluids with a controller's manners: answers requests, reports counters.

Links have rates, queues and delays; switches refresh flow counters every 500 ms and report ports
every 250 ms, as Open vSwitch does under the real controller.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from controller.messages import (
    DatapathState,
    Drop,
    DropDone,
    DroppedPair,
    FromClient,
    FromController,
    Hello,
    LinkDelay,
    LinkDelays,
    LinkState,
    OdCounters,
    OdStats,
    PortCounters,
    PortStats,
    Ready,
    Refusal,
    Reroute,
    RerouteDone,
    Route,
    Routes,
)
from topologies.model import OdPair, Path, Topology
from topologies.paths import shortest_paths
from twin.indexing import FloatArray, Indexing
from twin.records import TwinRecord
from twin.twin import Twin

STEP_S = 0.01
FRAME_BYTES = 1442


class FluidNetwork:
    """The network and its controller; `demand(t_s)` gives what each pair sends, in bit/s."""

    def __init__(self, topology: Topology, demand: Callable[[float], FloatArray]) -> None:
        self.topology = topology
        self.ix = Indexing(topology)
        self.demand = demand
        self.routing: dict[OdPair, Path] = dict(shortest_paths(topology))
        self.rate_bps = self.ix.rate_bps.copy()
        self.loss = self.ix.loss.copy()
        self.delay_ms = self.ix.delay_ms.copy()
        self.down: frozenset[tuple[str, str]] = frozenset()
        self.silent: set[str] = set()
        self.dropped: set[OdPair] = set()
        self.now_s = 1000.0
        links = len(self.ix.directions)
        self.backlog = np.zeros(links)
        self.offered = np.zeros(links)
        self.tx = np.zeros(links)
        self.rx = np.zeros(links)
        self.od = np.zeros(len(self.ix.pairs))
        self.od_refreshed = self.od.copy()
        self.delay_log: list[tuple[float, FloatArray]] = []
        self.outbox: list[FromController] = []
        self.requests: list[FromClient] = []
        self._passed_on = np.ones(links + 1)
        self._ticks = 0

    def snapshot(self) -> None:
        """What a subscriber hears first."""
        t = self.now_s
        self.outbox.append(Hello(t_s=t, version=1, topology=self.topology.name))
        for switch in self.topology.switches:
            self.outbox.append(DatapathState(t_s=t, datapath=switch.name, connected=True))
        for a, b in self.down:
            self.outbox.append(LinkState(t_s=t, datapath=a, neighbour=b, up=False))
        self._announce("snapshot", self.routing)
        self.outbox.append(Ready(t_s=t, datapaths=1, routes=len(self.routing)))

    def fail(self, a: str, b: str) -> None:
        """A link loses carrier; the controller restores what it carried."""
        self.down |= {(a, b), (b, a)}
        for one, other in ((a, b), (b, a)):
            self.outbox.append(LinkState(t_s=self.now_s, datapath=one, neighbour=other, up=False))
        shortest = shortest_paths(self.topology, down=self.down)
        broken = {p: shortest[p] for p, path in self.routing.items() if self._is_down(path)}
        self.routing.update(broken)
        self._announce("restoration", broken)

    def advance(self) -> None:
        """Let `STEP_S` pass."""
        self.now_s = round(self.now_s + STEP_S, 6)
        self._ticks += 1
        sent = self.demand(self.now_s)
        hops = self.ix.branches(self.routing).hops
        admitted = sent.copy()
        admitted[[self.ix.pair[p] for p in self.dropped]] = 0
        kept = self._passed_on[hops]
        arriving = np.cumprod(np.hstack([np.ones((len(hops), 1)), kept[:, :-1]]), axis=1)
        # A dropped pair still enters by its host's uplink.
        flow = np.hstack([sent[:, None], admitted[:, None] * arriving[:, 1:]])
        links = len(self.ix.directions)
        self.offered = np.bincount(hops.ravel(), flow.ravel(), links + 1)[:links]
        room = self.ix.queue_packets * FRAME_BYTES * 8
        wanted = self.backlog + (self.offered - self.rate_bps) * STEP_S
        backlog = np.clip(wanted, 0.0, room)
        served = self.backlog + self.offered * STEP_S - backlog - np.maximum(wanted - room, 0.0)
        served = served * (1 - self.loss)
        self.backlog = backlog
        self._passed_on[:-1] = np.divide(
            served, self.offered * STEP_S, out=np.ones(links), where=self.offered > 0
        )
        self.tx += self.offered * STEP_S / 8
        self.rx += served / 8
        self.od += admitted * STEP_S / 8
        waiting_ms = (self.backlog + FRAME_BYTES * 8) / self.rate_bps * 1e3
        self.link_delay_ms = waiting_ms + self.delay_ms
        delay = np.append(self.link_delay_ms, 0.0)[hops].sum(axis=1)
        self.delay_log.append((self.now_s, delay))
        if self._ticks % 50 == 20:
            self.od_refreshed = self.od.copy()
        if self._ticks % 25 == 0:
            self._report_ports()
        if self._ticks % 50 == 10:
            self._report_flows()
        if self._ticks % 100 == 5:
            self._report_delays()

    def mean_delay_ms(self, start_s: float, end_s: float) -> FloatArray:
        """(pairs,) true mean delay over a time."""
        return np.mean([d for t, d in self.delay_log if start_s < t <= end_s], axis=0)

    @property
    def max_utilisation(self) -> float:
        """Of the core links, now."""
        return float((self.offered / self.rate_bps)[: self.ix.cores].max())

    def request(self, request: FromClient) -> None:
        """Carry out a request at once."""
        self.requests.append(request)
        t = self.now_s
        if isinstance(request, Drop):
            self.dropped.add((request.src, request.dst))
            self.outbox.append(
                DropDone(
                    t_s=t,
                    request_id=request.request_id,
                    src=request.src,
                    dst=request.dst,
                    dropped=True,
                    received_s=t,
                    applied_s=t,
                )
            )
        elif isinstance(request, Reroute):
            applied = {(r.src, r.dst): r.path for r in request.moves if not self._is_down(r.path)}
            self.routing.update(applied)
            self._announce("request", applied)
            self.outbox.append(
                RerouteDone(
                    t_s=t,
                    request_id=request.request_id,
                    received_s=t,
                    installed_s=t,
                    switched_s=t,
                    removed_s=t,
                    applied=_routes(applied),
                    refused=tuple(
                        Refusal(r.src, r.dst, "link down")
                        for r in request.moves
                        if self._is_down(r.path)
                    ),
                )
            )

    def _report_ports(self) -> None:
        for switch in (s.name for s in self.topology.switches):
            if switch in self.silent:
                continue
            ports = []
            for a, b in self.ix.directions:
                if a == switch:
                    tx, rx = self.tx[self.ix.link[a, b]], self.rx[self.ix.link[b, a]]
                    ports.append(
                        PortCounters(
                            neighbour=b,
                            rx_packets=int(rx / FRAME_BYTES),
                            tx_packets=int(tx / FRAME_BYTES),
                            rx_bytes=int(rx),
                            tx_bytes=int(tx),
                            rx_dropped=0,
                            tx_dropped=0,
                        )
                    )
            self.outbox.append(PortStats(t_s=self.now_s, datapath=switch, ports=tuple(ports)))

    def _report_flows(self) -> None:
        for switch, pairs in self.ix.pairs_of_switch.items():
            if switch not in self.silent:
                counters = tuple(
                    OdCounters(
                        *self.ix.pairs[p],
                        packets=int(self.od_refreshed[p] / FRAME_BYTES),
                        bytes=int(self.od_refreshed[p]),
                    )
                    for p in pairs
                )
                self.outbox.append(OdStats(t_s=self.now_s, datapath=switch, pairs=counters))

    def _report_delays(self) -> None:
        for switch in (s.name for s in self.topology.switches):
            links = tuple(
                LinkDelay(b, float(self.link_delay_ms[index]), 0.0)
                for index, (a, b) in enumerate(self.ix.directions[: self.ix.cores])
                if a == switch and switch not in self.silent and (a, b) not in self.down
            )
            if links:
                self.outbox.append(LinkDelays(t_s=self.now_s, datapath=switch, links=links))

    def _announce(self, cause: str, routes: dict[OdPair, Path]) -> None:
        dropped = tuple(DroppedPair(*pair) for pair in self.dropped if cause == "snapshot")
        if routes:
            self.outbox.append(
                Routes(t_s=self.now_s, cause=cause, routes=_routes(routes), dropped=dropped)
            )

    def _is_down(self, path: Path) -> bool:
        return any(hop in self.down for hop in pairwise(path))


def drive(twin: Twin, network: FluidNetwork, seconds: float) -> list[TwinRecord]:
    """Run twin and network together; return what the twin recorded."""
    records: list[TwinRecord] = []
    end_s = network.now_s + seconds
    while network.now_s < end_s - STEP_S / 2:
        network.advance()
        messages, network.outbox = network.outbox, []
        for message in messages:
            twin.receive(message)
        if twin.due_s(network.now_s) == 0.0:
            output = twin.step(network.now_s)
            records += output.records
            for request in output.requests:
                network.request(request)
    return records


def _routes(routes: dict[OdPair, Path]) -> tuple[Route, ...]:
    return tuple(Route(*pair, path) for pair, path in routes.items())

"""Writes run directories as a lab would, of a fluid network whose truth is known.

In every second a pair gets the smallest share that any link on its path can carry; an overloaded
link adds the delay of its full queue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from controller.messages import (
    LinkState,
    OdCounters,
    OdStats,
    PortCounters,
    PortStats,
    RerouteDone,
    Route,
    Routes,
)
from generators.records import Received, Segment
from generators.schedule import Schedule
from results.run_directory import Event, Manifest, RunDirectory
from testbed.records import (
    FidelitySample,
    IdleCheck,
    IdleLink,
    IdlePath,
    LinkCounters,
    LinksSample,
    ProbeStream,
)
from topologies.loads import link_loads_bps, link_rates_bps
from topologies.model import Host, Link, LinkShape, OdPair, Routing, Switch, Topology
from topologies.paths import path_directions, propagation_delay_ms, shortest_paths
from twin.records import (
    Alarm,
    Decision,
    DecisionOutcome,
    DelayPredicted,
    ForecastScored,
    Health,
    Imputation,
)

T0_S = 1000.0
"""CLOCK_MONOTONIC when the traffic starts."""

FRAME_BYTES = 1250
QUEUE_MS = 100.0
"""Delay of a full queue: 100 frames of 1250 bytes at 10 Mbit/s."""


def triangle() -> Topology:
    """Three switches in a ring of 10 Mbit/s links, a host at each."""
    core, access = LinkShape(10e6, 5.0), LinkShape(100e6, 0.0)
    names = ("a", "b", "c")
    return Topology(
        name="triangle",
        switches=tuple(
            Switch(name, name.upper(), position=position)
            for name, position in zip(names, ((0, 0), (2, 0), (1, 1.5)), strict=True)
        ),
        hosts=tuple(Host(f"h{name}", name.upper(), name) for name in names),
        links=(
            *(Link(f"h{name}", name, access) for name in names),
            Link("a", "b", core),
            Link("b", "c", core),
            Link("a", "c", core),
        ),
    )


@dataclass
class RecordedRun:
    """What happens in a run; `write` records it."""

    topology: Topology
    matrices_bps: np.ndarray
    policy: str = "twin"
    playbook: str = "high-load"
    seed: int = 1
    measure_from_s: float = 4.0
    reroutes: Mapping[float, Routing] = field(default_factory=dict)
    """Routes requested by the twin, by second."""
    failure: tuple[float, tuple[str, str]] | None = None
    outage_s: float = 0.05
    flood: tuple[float, float, OdPair, float] | None = None
    """From second, to second, (source, victim), bit/s."""
    blocked_after_s: float = 1e9
    """The flood is dropped at its ingress from this second on."""
    probed: Iterable[OdPair] = ()
    known: dict[int, dict[tuple[str, str], float]] = field(default_factory=dict)

    @property
    def seconds(self) -> int:
        """Its length: one matrix a second."""
        return len(self.matrices_bps)

    def routing(self, second: float) -> dict[OdPair, tuple[str, ...]]:
        """The routes in force at a second."""
        routing = shortest_paths(self.topology, down=self.down(second))
        for since, moved in sorted(self.reroutes.items()):
            if since <= second:
                routing.update(moved)
        return routing

    def down(self, second: float) -> frozenset[tuple[str, str]]:
        """The directions that are down at a second."""
        if self.failure is None or second < self.failure[0]:
            return frozenset()
        a, b = self.failure[1]
        return frozenset({(a, b), (b, a)})

    def entering_bps(self, second: int) -> np.ndarray:
        """The workload and the flood as they enter the network."""
        matrix = self.matrices_bps[second].copy()
        if self.flood is not None:
            start, end, (source, victim), rate = self.flood
            if start <= second < end and second < self.blocked_after_s:
                matrix[self._host(source), self._host(victim)] += rate
        return matrix

    def offered(self, second: int) -> dict[tuple[str, str], float]:
        """What is offered to every direction, of its rate."""
        if second not in self.known:
            loads = link_loads_bps(self.topology, self.routing(second), self.entering_bps(second))
            use = loads / link_rates_bps(self.topology)
            self.known[second] = dict(zip(self.topology.core_directions, use, strict=True))
        return self.known[second]

    def share(self, second: int, pair: OdPair) -> float:
        """The share of a pair's packets that arrive."""
        route = path_directions(self.routing(second)[pair])
        return 1.0 / max(1.0, *(self.offered(second)[hop] for hop in route))

    def delay_ms(self, second: int, pair: OdPair) -> float:
        """The delay of those that arrive."""
        route = self.routing(second)[pair]
        queueing = sum(_queueing_ms(self.offered(second)[hop]) for hop in path_directions(route))
        return propagation_delay_ms(self.topology, pair, route) + queueing

    def write(self, path: Path) -> RunDirectory:
        """Record everything."""
        path.mkdir(parents=True)
        run = RunDirectory(path)
        run.write_topology(self.topology)
        run.manifest.write_bytes(msgspec.json.encode(self._manifest(path.name)))
        hosts = tuple(host.name for host in self.topology.hosts)
        Schedule(hosts, 1.0, self.matrices_bps).save(run.schedule)
        write_lines(run.events, self._events())
        write_lines(run.telemetry, sorted(self._telemetry(), key=lambda m: m.t_s))
        write_lines(run.traffic, self._traffic())
        write_lines(run.probes, self._probes())
        write_lines(run.fidelity, self._fidelity())
        write_lines(run.links, self._links())
        write_lines(run.idle, self._idle())
        write_lines(run.twin, sorted(self._twin(), key=lambda r: r.t_s))
        return run

    def _host(self, name: str) -> int:
        return [host.name for host in self.topology.hosts].index(name)

    def _manifest(self, run: str) -> Manifest:
        return Manifest(
            run=run,
            playbook=self.playbook,
            policy=self.policy,
            seed=self.seed,
            started_at="2026-01-05T10:00:00Z",
            realtime_minus_monotonic_s=1.7e9,
            interval_s=1.0,
            backend="userspace",
            versions={"twinbed": "0.1.0", "python": "3.11.2", "openvswitch": "3.1.0"},
        )

    def _events(self) -> list[Event]:
        end_s = T0_S + self.seconds
        events = [
            Event(t_s=T0_S - 5.0, event="lab-starting"),
            Event(t_s=T0_S - 3.0, event="lab-ready"),
            Event(t_s=T0_S, event="traffic-start"),
            Event(t_s=T0_S + self.measure_from_s, event="measure-start"),
            Event(t_s=end_s, event="measure-end"),
            Event(t_s=end_s, event="traffic-end"),
            Event(t_s=end_s + 0.5, event="lab-stopping"),
            Event(t_s=end_s + 1.0, event="lab-stopped"),
        ]
        if self.failure is not None:
            at, link = self.failure
            events.append(Event(t_s=T0_S + at, event="link-down", detail={"link": list(link)}))
        if self.flood is not None:
            start, end, (source, victim), _ = self.flood
            about: dict[str, Any] = {"victim": victim, "sources": [source]}
            for name, at in (("flood-start", start), ("flood-end", end)):
                detail = {**about, "stated_s": T0_S + at}
                events.append(Event(t_s=T0_S + at, event=name, detail=detail))
        return sorted(events, key=lambda event: event.t_s)

    def _telemetry(self) -> list[Any]:
        messages: list[Any] = [self._routes("baseline", -2.0, self.routing(-1.0))]
        for second, moved in self.reroutes.items():
            at_s = T0_S + second
            messages.append(self._routes("request", second, moved))
            done = RerouteDone(
                t_s=at_s,
                request_id="r",
                received_s=at_s - 0.02,
                installed_s=at_s - 0.01,
                switched_s=at_s,
                removed_s=at_s + 0.06,
                applied=tuple(Route(*pair, path) for pair, path in moved.items()),
                refused=(),
            )
            messages.append(done)
        if self.failure is not None:
            at, (a, b) = self.failure
            messages.append(LinkState(t_s=T0_S + at + 0.01, datapath=a, neighbour=b, up=False))
            before, after = self.routing(at - 0.01), self.routing(at)
            moved = {pair: path for pair, path in after.items() if path != before[pair]}
            messages.append(self._routes("restoration", at + 0.03, moved))
        carried = np.zeros(len(self.topology.core_directions))
        entered = np.zeros((len(self.topology.hosts),) * 2)
        for second in range(self.seconds + 1):
            messages += self._counters(second, carried, entered)
            if second < self.seconds:
                use = np.minimum(1.0, list(self.offered(second).values()))
                carried = carried + use * link_rates_bps(self.topology) / 8
                entered = entered + self.entering_bps(second) / 8
        return messages

    def _routes(self, cause: str, second: float, routing: Routing) -> Routes:
        routes = tuple(Route(*pair, path) for pair, path in routing.items())
        return Routes(t_s=T0_S + second, cause=cause, routes=routes)

    def _counters(self, second: int, carried: np.ndarray, entered: np.ndarray) -> list[Any]:
        messages: list[Any] = []
        of_direction = dict(zip(self.topology.core_directions, carried, strict=True))
        for switch in (switch.name for switch in self.topology.switches):
            ports = tuple(
                PortCounters(b, 0, 0, 0, int(total), 0, 0)
                for (a, b), total in of_direction.items()
                if a == switch
            )
            pairs = tuple(
                OdCounters(src, dst, 0, int(entered[self._host(src), self._host(dst)]))
                for src, dst in self.topology.od_pairs
                if self.topology.switch_of[src] == switch
            )
            at_s = T0_S + second
            messages.append(PortStats(t_s=at_s, datapath=switch, ports=ports))
            messages.append(OdStats(t_s=at_s, datapath=switch, pairs=pairs))
        return messages

    def _traffic(self) -> list[Any]:
        records: list[Any] = []
        for second in range(self.seconds):
            for pair in self.topology.od_pairs:
                rate = self.matrices_bps[second][self._host(pair[0]), self._host(pair[1])]
                records += self._client(second, pair, rate, attack=False)
            if self.flood is not None and self.flood[0] <= second < self.flood[1]:
                records += self._client(second, self.flood[2], self.flood[3], attack=True)
        return records

    def _client(self, second: int, pair: OdPair, rate_bps: float, *, attack: bool) -> list[Any]:
        sent = round(rate_bps / 8 / FRAME_BYTES)
        if sent == 0:
            return []
        start_s = T0_S + second
        blocked = attack and second >= self.blocked_after_s
        arrived = 0 if blocked else round(sent * self.share(second, pair))
        delay_ms = self.delay_ms(second, pair)
        spread = ((int(delay_ms), arrived - arrived // 10), (int(delay_ms * 1.3), arrived // 10))
        return [
            Segment(
                src=pair[0],
                dst=pair[1],
                attack=attack,
                requested_bps=rate_bps,
                start_s=start_s,
                started_s=start_s,
                duration_s=1.0,
                sent_packets=sent,
                sent_bytes=sent * FRAME_BYTES,
            ),
            Received(
                src=pair[0],
                dst=pair[1],
                attack=attack,
                start_s=start_s,
                end_s=start_s + 1.0,
                packets=arrived,
                bytes=arrived * FRAME_BYTES,
                lost_packets=sent - arrived,
                latency_mean_ms=delay_ms,
                latency_bin_ms=1.0,
                latency_counts=spread,
            ),
        ]

    def _probes(self) -> list[ProbeStream]:
        streams = []
        for purpose, spacing_s in (("latency", 0.1), ("outage", 0.002)):
            for pair in self.probed:
                sent = [i * spacing_s for i in range(round(self.seconds / spacing_s))]
                ways = [[self._probe_ms(t, way) for t in sent] for way in (pair, pair[::-1])]
                streams.append(
                    ProbeStream(
                        src=pair[0],
                        dst=pair[1],
                        purpose=purpose,
                        spacing_ms=spacing_s * 1e3,
                        sent_s=tuple(T0_S + t for t in sent),
                        forward_ms=tuple(ways[0]),
                        backward_ms=tuple(ways[1]),
                    )
                )
        return streams

    def _probe_ms(self, second: float, pair: OdPair) -> float | None:
        if self.failure is not None:
            at, (a, b) = self.failure
            hit = {(a, b), (b, a)} & set(path_directions(self.routing(at - 0.01)[pair]))
            if hit and at <= second < at + self.outage_s:
                return None
        return self.delay_ms(int(second), pair)

    def _fidelity(self) -> list[FidelitySample]:
        return [
            FidelitySample(
                t_s=T0_S + second + 0.5,
                cpu_percent=78.0,
                lateness_p99_ms=0.5,
                daemon_cpu_percent=28.0,
                switch_cpu_percent=75.0,
            )
            for second in range(self.seconds)
        ]

    def _links(self) -> list[LinksSample]:
        """In every second each direction takes in 100 frames, of which its queue drops one."""
        return [
            LinksSample(
                t_s=T0_S + second + 0.5,
                counters=(
                    LinkCounters(
                        received=100 * second,
                        sent=99 * second,
                        dropped_by_queue=second,
                        dropped_by_loss=0,
                        dropped_by_fault=0,
                        queue_high_water_packets=7,
                    ),
                )
                * (2 * len(self.topology.links)),
            )
            for second in range(self.seconds)
        ]

    def _idle(self) -> list[IdleCheck]:
        links = [
            IdleLink(
                src=a,
                dst=b,
                configured_ms=link.shape.delay_ms,
                measured_ms=link.shape.delay_ms + 0.2,
                sent=10,
                arrived=10,
            )
            for link in self.topology.links
            for a, b in link.directions
        ]
        paths = [
            IdlePath(src=src, dst=dst, arrived=True, configured_ms=5.0, measured_ms=5.6)
            for src, dst in self.topology.od_pairs
        ]
        return [*links, *paths]

    def _twin(self) -> list[Any]:
        if self.policy != "twin":
            return []
        records: list[Any] = []
        random = np.random.default_rng(self.seed)
        pairs = [(self._host(a), self._host(b)) for a, b in self.topology.od_pairs]
        rates = np.array([[matrix[pair] for pair in pairs] for matrix in self.matrices_bps])
        for second in range(1, self.seconds):
            records.append(self._forecast(second, rates, random))
            delays = [self.delay_ms(second, pair) for pair in self.topology.od_pairs]
            prediction = DelayPredicted(
                t_s=T0_S + second + 1.0,
                start_s=T0_S + second,
                end_s=T0_S + second + 1.0,
                od_delay_ms=tuple(1.1 * delay for delay in delays),
                link_utilisation=(),
            )
            records.append(prediction)
        for number, (second, moved) in enumerate(self.reroutes.items()):
            records += self._decision(number, second, moved)
        if self.flood is not None:
            start, _, (source, victim), _ = self.flood
            alarm = Alarm(
                t_s=T0_S + start + 1.5,
                victim=victim,
                sources=(source,),
                score=3.2,
                explanation=f"{source} sends {victim} more than its mirror expects",
            )
            records.append(alarm)
        health = Health(
            t_s=T0_S + 6.0, cpu_percent=9.0, tick_ms_p95=6, messages=99, telemetry_age_ms_p95=260
        )
        return [*records, health]

    def _forecast(
        self, second: int, rates: np.ndarray, random: np.random.Generator
    ) -> ForecastScored:
        actual, last = rates[second], rates[second - 1]
        forecast = actual + 0.5 * (last - actual) * random.choice([-1, 1], len(actual))
        return ForecastScored(
            t_s=T0_S + second + 1.0,
            made_at_s=T0_S + second,
            start_s=T0_S + second,
            end_s=T0_S + second + 1.0,
            horizon=1,
            od_forecast_bps=tuple(forecast),
            od_persistence_bps=tuple(last),
            od_mean_bps=tuple(rates[:second].mean(axis=0)),
            od_actual_bps=tuple(actual),
            link_forecast_bps=(1.1e6, 2e6, 0.0, 0.0, 0.0, 0.0),
            link_actual_bps=(1e6, 2e6, 0.0, 0.0, 0.0, 0.0),
        )

    def _decision(self, number: int, second: float, moved: Routing) -> list[Any]:
        at_s = T0_S + second - 0.05
        return [
            Decision(
                t_s=at_s,
                decision_id=f"d{number}",
                policy="twin",
                reason="failure" if self.failure else "hot-link",
                moves=tuple(Route(*pair, path) for pair, path in moved.items()),
                telemetry_age_ms=120.0,
                predicted_mlu_before=1.3,
                predicted_mlu_after=0.88,
                predicted_mean_delay_ms_before=60.0,
                predicted_mean_delay_ms_after=24.0,
            ),
            DecisionOutcome(
                t_s=at_s + 2.0,
                decision_id=f"d{number}",
                switched_s=at_s + 0.05,
                applied=len(moved),
                refused=(),
                measured_mlu=0.8,
                predicted_mlu=0.88,
            ),
            Imputation(
                t_s=at_s + 3.0,
                datapath="a",
                start_s=at_s,
                end_s=at_s + 3.0,
                vae_bps=(1.1e6, 2e6),
                linear_bps=(1.2e6, 2.1e6),
                actual_bps=(1e6, 2e6),
            ),
        ]


def _queueing_ms(use: float) -> float:
    return QUEUE_MS if use >= 1 else min(QUEUE_MS, 0.5 * use / (1.0 - use))


def write_lines(path: Path, records: Iterable[Any]) -> None:
    """Write a JSON Lines file."""
    path.write_bytes(
        b"".join(msgspec.json.encode(record, enc_hook=float) + b"\n" for record in records)
    )

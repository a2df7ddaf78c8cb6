"""A run of a triangle, as its telemetry tells it: three intervals of traffic, one link failing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
import numpy as np

from controller.messages import (
    DatapathState,
    FromController,
    Hello,
    LinkState,
    OdCounters,
    OdStats,
    PortCounters,
    PortStats,
    Ready,
    Route,
    Routes,
)
from playbooks.plan import Plan, write_plan
from results.run_directory import Event, Manifest, RunDirectory
from topologies.model import Host, Link, LinkShape, OdPair, Switch, Topology
from topologies.paths import shortest_paths

START_S, INTERVAL_S = 100.0, 2.0
RATES_MBPS = {("h1", "h2"): (1.0, 4.0, 2.0), ("h2", "h1"): (0.5, 0.5, 0.5)}
"""In each interval."""


def network() -> Topology:
    core, access = LinkShape(10e6, 1.0), LinkShape(1e9, 0.0)
    return Topology(
        "triangle",
        tuple(Switch(f"s{n}", f"s{n}") for n in (1, 2, 3)),
        (Host("h1", "h1", "s1"), Host("h2", "h2", "s2")),
        (
            *(Link(a, b, core) for a, b in (("s1", "s2"), ("s2", "s3"), ("s1", "s3"))),
            Link("h1", "s1", access),
            Link("h2", "s2", access),
        ),
    )


def sent_bytes(pair: OdPair, t_s: float) -> int:
    """Since the start."""
    edges = START_S + INTERVAL_S * np.arange(4)
    passed_s = np.clip(t_s - edges[:-1], 0.0, INTERVAL_S)
    return round(float(passed_s @ np.array(RATES_MBPS[pair])) * 1e6 / 8)


def telemetry(until_s: float, silent_from_s: float = np.inf) -> Iterable[FromController]:
    topology = network()
    yield Hello(t_s=90.0, version=1, topology="triangle")
    for switch in topology.switches:
        yield DatapathState(t_s=90.0, datapath=switch.name, connected=True)
    routes = tuple(Route(*pair, path) for pair, path in shortest_paths(topology).items())
    yield Routes(t_s=90.0, cause="baseline", routes=routes)
    yield Ready(t_s=90.0, datapaths=3, routes=2)
    for t_s in np.arange(99.0, until_s, 0.25):
        if t_s == 103.0:
            yield LinkState(t_s=103.0, datapath="s2", neighbour="s3", up=False)
        forth, back = (sent_bytes(pair, t_s) for pair in RATES_MBPS)
        for switch, host, out, into in (("s1", "h1", back, forth), ("s2", "h2", forth, back)):
            peer = "s2" if switch == "s1" else "s1"
            ports = (
                PortCounters(peer, out // 1000, into // 1000, out, into, 0, 0),
                PortCounters("s3", 0, 0, 0, 0, 0, 0),
                PortCounters(host, into // 1000, out // 1000, into, out, 0, 0),
            )
            yield PortStats(t_s=float(t_s), datapath=switch, ports=ports)
            lagging = sent_bytes((host, "h2" if host == "h1" else "h1"), t_s - 0.25)
            if t_s < silent_from_s:
                pair = OdCounters(host, "h2" if host == "h1" else "h1", lagging // 1000, lagging)
                yield OdStats(t_s=float(t_s), datapath=switch, pairs=(pair,))


def recorded(
    path: Path, messages: Iterable[FromController], events: Iterable[Event] | None = None
) -> RunDirectory:
    run_dir = RunDirectory(path)
    run_dir.write_topology(network())
    write_plan(
        Plan(
            policy="twin",
            weight="delay",
            backend="userspace",
            interval_s=INTERVAL_S,
            duration_s=6.0,
            measure_from_s=0.0,
            actions=(),
            probes=(),
            forecaster="",
            imputer="",
        ),
        path,
    )
    manifest = Manifest(
        run=path.name,
        playbook="p",
        policy="twin",
        seed=1,
        started_at="2026-01-01T00:00:00Z",
        realtime_minus_monotonic_s=0.0,
        interval_s=INTERVAL_S,
        backend="userspace",
        versions={},
    )
    run_dir.manifest.write_bytes(msgspec.json.encode(manifest))
    begun = [Event(t_s=START_S, event="traffic-start")] if events is None else events
    for file, lines in ((run_dir.telemetry, messages), (run_dir.events, begun)):
        file.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return run_dir

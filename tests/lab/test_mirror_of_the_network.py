"""The mirror of a small live network holds what the switches and the links themselves say."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from controller_lab import PATIENCE_S, control, reaches

from controller.dumped_tables import entries_of, groups_of
from controller.forwarding import Forwarding
from controller.messages import (
    GroupStats,
    LinkDelays,
    OdStats,
    PortStats,
    Reroute,
    RerouteDone,
    Route,
    WeightedPath,
)
from controller.northbound_client import NorthboundClient, connect
from controller.table_rows import flow_rows, group_rows, label_pairs
from testbed import switch_tables
from testbed.faults import Degraded, LinkDown, shapes
from testbed.network import Network
from testbed.openvswitch import environment
from topologies.model import DirectedLink, OdPair, Split, Way
from topologies.model import Path as SwitchPath
from twin.indexing import FloatArray, Indexing
from twin.mirror import Mirror

pytestmark = [pytest.mark.sandbox, pytest.mark.topology("leaf-spine")]

KEEP_S = 60.0
PINGS = 5
PROBES = 5
"""Enough that one of them was hardly late."""
NEAR_MS = 25.0
"""How far off a link's delay may be on a busy machine; the degraded link stands out by 100 ms."""
SPLIT = Route(
    "h1",
    "h3",
    ("leaf1", "spine1", "leaf2"),
    3,
    (WeightedPath(("leaf1", "spine2", "leaf2"), 1),),
)
FAULTS = (LinkDown(("leaf4", "spine2")), Degraded(("leaf3", "spine1"), delay_ms=100.0))

_COUNTED = re.compile(
    r"port +(\d+): rx pkts=(\d+), bytes=(\d+),.*?tx pkts=(\d+), bytes=(\d+),", re.DOTALL
)
_STATE = re.compile(r"^ (\d+).*?^ +state: +(\w+)", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Account:
    """What all switches and links say of themselves. Arrays are those of the mirror."""

    ports: FloatArray
    wires: FloatArray
    """(2, links) packets that entered, and left, each link."""
    pairs: FloatArray
    groups: Mapping[tuple[str, int], tuple[int, ...]]
    """Packets of each bucket."""
    ways: Mapping[OdPair, Mapping[SwitchPath, int]]
    down: frozenset[DirectedLink]


def account(network: Network) -> Account:
    tables = switch_tables.dump(network.switches)
    dumps = {switch: one.flows for switch, one in tables.items()}
    of, indexing = network.addressing, Indexing(network.topology)
    labels = label_pairs(of, dumps)
    rows = [row for switch in dumps for row in flow_rows(of, switch, dumps[switch], labels)]
    counted = {row.pair: row.bytes for row in rows if row.kind == "ingress"}
    wires = network.links.counters()
    return Account(
        ports=_ports(network, indexing),
        wires=np.array([(wires[d].received, wires[d].sent) for d in indexing.directions]).T,
        pairs=np.array([counted[pair] for pair in indexing.pairs], float),
        groups={
            (switch, row.group_id): row.bucket_packets
            for switch, one in tables.items()
            for row in group_rows(of, switch, one.groups, one.group_counters)
        },
        ways=_ways(network, tables),
        down=_down(network),
    )


def _ports(network: Network, indexing: Indexing) -> FloatArray:
    ports = np.full((4, len(indexing.directions)), np.nan)
    for switch in network.switches:
        for port, *numbers in _COUNTED.findall(_ofctl("dump-ports", switch)):
            there = network.addressing.neighbour[switch, int(port)]
            received, received_bytes, sent, sent_bytes = map(int, numbers)
            ports[::2, indexing.link[switch, there]] = sent_bytes, sent
            ports[1::2, indexing.link[there, switch]] = received_bytes, received
    return ports


def _ways(
    network: Network, tables: Mapping[str, switch_tables.SwitchTables]
) -> Mapping[OdPair, Mapping[SwitchPath, int]]:
    """Where the tables send a packet of every hash, for each pair."""
    entries = [e for switch, one in tables.items() for e in entries_of(switch, one.flows)]
    groups = [g for switch, one in tables.items() for g in groups_of(switch, one.groups)]
    tables_of_all = Forwarding(network.topology, entries, groups)
    return {
        pair: Counter(map(tables_of_all.follow, tables_of_all.kinds(pair)))
        for pair in network.topology.od_pairs
    }


def _down(network: Network) -> frozenset[DirectedLink]:
    ends = (
        (switch, network.addressing.neighbour[switch, int(port)])
        for switch in network.switches
        for port, state in _STATE.findall(_ofctl("dump-ports-desc", switch))
        if state == "LINK_DOWN"
    )
    return frozenset(hop for here, there in ends for hop in ((here, there), (there, here)))


def _ofctl(command: str, switch: str) -> str:
    argv = ["ovs-ofctl", "--protocols=OpenFlow13", command, switch]
    env = {**os.environ, **environment()}
    return subprocess.run(argv, capture_output=True, text=True, check=True, env=env).stdout


@dataclass
class Follower:
    """A mirror that hears what the controller says."""

    mirror: Mirror
    client: NorthboundClient

    def hear_until(self, condition: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not condition():
            self.hear()
            assert time.monotonic() < deadline_s, "it did not come about"

    def hear(self) -> object:
        message = self.client.receive(PATIENCE_S)
        if message is not None:
            self.mirror.receive(message)
        return message

    def hear_all_counters(self, switches: tuple[str, ...]) -> None:
        """Until all have been asked, and have answered, from now on."""
        kinds = PortStats, OdStats, GroupStats
        missing = Counter({(kind, switch): 2 for kind in kinds for switch in switches})
        while missing:
            message = self.hear()
            if isinstance(message, kinds):
                missing -= Counter([(type(message), message.datapath)])


def weights(way: Way) -> Mapping[SwitchPath, int]:
    return dict(way.branches) if isinstance(way, Split) else {way: 1}


def test_once_quiet_it_is_equal_to_the_network(network: Network, tmp_path: Path) -> None:
    indexing = Indexing(network.topology)
    mirror = Mirror(indexing, KEEP_S)
    with (
        control(network, tmp_path, "--protected") as lab,
        connect(tmp_path / "northbound.sock") as client,
    ):
        follower = Follower(mirror, client)
        lab.ask(Reroute("split", (SPLIT,)), RerouteDone)
        changed_s = network.set_faults(FAULTS)
        follower.hear_until(lambda: bool(mirror.down) and mirror.ready and not mirror.stranded)
        for pair in (("h1", "h3"), ("h2", "h8"), ("h5", "h7")):
            assert reaches(network, *pair, count=PINGS)

        before, after = _when_quiet(network, follower)

        assert mirror.down == after.down == {("leaf4", "spine2"), ("spine2", "leaf4")}
        assert {pair: weights(way) for pair, way in mirror.routing.items()} == after.ways
        assert after.ways["h1", "h3"] == weights(SPLIT.way)
        assert _between(before.ports, mirror.counted(), after.ports)
        cores = slice(indexing.cores)
        assert _between(before.wires[:, cores], mirror.counted()[2:, cores], after.wires[:, cores])
        assert mirror.od_counted() == pytest.approx(after.pairs)
        assert mirror.od_counted()[indexing.pair["h2", "h8"]] > 0
        groups = {
            (switch, group.group_id): group.bucket_packets
            for switch in network.switches
            for group in mirror.groups(switch)
        }
        assert groups == after.groups
        assert groups
        _delays_are_those_of_the_links(network, follower, changed_s)


def _when_quiet(network: Network, follower: Follower) -> tuple[Account, Account]:
    """Two accounts with all counters read in between, and nothing but link probes under way."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        before = account(network)
        follower.hear_all_counters(network.switches)
        after = account(network)
        if (before.pairs == after.pairs).all() and before.groups == after.groups:
            return before, after
        assert time.monotonic() < deadline_s, "it does not become quiet"


def _between(least: FloatArray, counted: FloatArray, most: FloatArray) -> bool:
    """Whether the counters lie between two readings: where these agree, they are equal to both."""
    known = ~np.isnan(least)
    assert known.any()
    assert np.isnan(counted[~known]).all()
    return bool(((least <= counted) & (counted <= most))[known].all())


def _delays_are_those_of_the_links(network: Network, follower: Follower, changed_s: float) -> None:
    mirror, down = follower.mirror, follower.mirror.down
    start_s = changed_s + 2.0  # probes that had left before are told by then
    told: Counter[str] = Counter()
    shape, between = shapes(network.topology, FAULTS), network.topology.link_between

    def hear_of_all() -> dict[DirectedLink, float]:
        """What each link is off by, once all have been probed as often again."""
        told.clear()
        while len(told) < len(network.switches) or min(told.values()) < PROBES:
            message = follower.hear()
            if isinstance(message, LinkDelays) and message.t_s > start_s:
                told[message.datapath] += 1
        measured_ms = mirror.probes.delay_ms(start_s, np.inf)
        return {
            hop: measured_ms[mirror.indexing.link[hop]] - shape[between[hop]].delay_ms
            for hop in network.topology.core_directions
        }

    # A busy machine makes probes and echoes late; the more there are, the nearer is the least.
    deadline_s = time.monotonic() + PATIENCE_S
    off_ms = hear_of_all()
    while not all(hop in down or abs(off) < NEAR_MS for hop, off in off_ms.items()):
        assert time.monotonic() < deadline_s, off_ms
        off_ms = hear_of_all()
    assert all(np.isnan(off_ms[hop]) for hop in down)

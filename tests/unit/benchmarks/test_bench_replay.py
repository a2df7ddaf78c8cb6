"""What the benchmark of replays makes of packets: perfect ones, late ones, and holes."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from benchmarks.replay import scaled, stretch
from benchmarks.replay_figures import figures, largest_hole_s, own_distance_s
from benchmarks.replay_scores import MadeTraffic, same_time, scored, scores
from benchmarks.replay_ways import demands
from benchmarks.wire_watch import Seen
from generators.history import History
from generators.replay_plan import plan
from generators.schedule import Schedule
from testbed.reference.errors import MeasurementError
from topologies.catalogue import load_topology
from topologies.model import Topology
from topologies.paths import propagation_delay_ms, shortest_paths

START_S = 100.0


def network() -> Topology:
    return load_topology("triangle")


def schedule() -> Schedule:
    hosts = tuple(host.name for host in network().hosts)
    rates_bps = np.random.default_rng(1).uniform(2e5, 2e6, (5, len(hosts), len(hosts)))
    return Schedule(hosts, 2.0, rates_bps * (1 - np.eye(len(hosts))))


def seen(late_s: float = 0.0, hole_s: float = 0.0) -> Seen:
    """Every packet that is due, later than that by its path and by `late_s`.

    None leaves in the last `hole_s` before the second step.
    """
    asked, topology = schedule(), network()
    paths, number = shortest_paths(topology), {host: n for n, host in enumerate(asked.hosts)}
    packets = [
        (START_S + due_s + late_s + delay_ms / 1e3, number[s.source], number[s.target], s)
        for s in plan(asked)
        for pair in [(s.source, s.target)]
        for delay_ms in [propagation_delay_ms(topology, pair, paths[pair])]
        for _, due_s in s.due()
        if not 4.0 - hole_s < due_s < 4.0
    ]
    arrival_s = np.array([at_s for at_s, *_ in packets])
    target = np.array([to for _, _, to, _ in packets], dtype=np.int16)
    frame_bytes = np.array([s.frame_bytes for *_, s in packets], dtype=np.int32)
    read_s = START_S + 2.0 * np.arange(6)
    port_bytes = [
        np.bincount(target, frame_bytes * (arrival_s <= at_s), len(number)) for at_s in read_s
    ]
    return Seen(
        arrival_s,
        np.array([of for _, of, _, _ in packets], dtype=np.int16),
        target,
        frame_bytes,
        np.array(port_bytes).astype(np.int64),
        read_s,
    )


def test_a_perfect_replay() -> None:
    found = figures(network(), schedule(), seen(), START_S, cpu_s=2.5)
    assert found.wape_percent is not None
    assert found.wape_percent < 2.0  # whole packets, and a few that are under way
    assert found.total_percent == pytest.approx(100, abs=1)
    assert found.lag_ms == pytest.approx(0, abs=20)
    assert found.gap_ms[2] < 1.0
    assert found.cpu_percent == 25.0


def test_lateness_is_lag() -> None:
    found = figures(network(), schedule(), seen(late_s=0.4), START_S, cpu_s=0)
    assert found.lag_ms == pytest.approx(400, abs=20)
    assert found.wape_percent is not None
    assert found.wape_percent > 5.0


def test_a_hole_is_a_gap() -> None:
    found = figures(network(), schedule(), seen(hole_s=0.3), START_S, cpu_s=0)
    assert found.gap_ms[2] == pytest.approx(300, abs=30)
    assert found.gap_ms[0] < 1.0  # the other steps have none


def test_holes_are_cut_off_where_a_pair_begins_or_ends() -> None:
    assert largest_hole_s(np.array([9.9, 10.0, 10.1]), 10.0) == pytest.approx(0.4)
    assert largest_hole_s(np.array([1.0, 9.0, 10.2, 12.0]), 10.0) == pytest.approx(1.8)
    assert largest_hole_s(np.array([]), 10.0) == 1.0


def test_every_way_is_asked_for_the_same() -> None:
    asked = schedule()
    each = demands(asked)
    assert sum(d.rate_bps for d in each) == pytest.approx(asked.matrices_bps.sum())
    for one in each:
        bits = 8 * one.stream.frame_bytes * one.packets_per_s
        assert bits == pytest.approx(one.rate_bps)


def test_an_excerpt_has_the_total_that_is_asked_for() -> None:
    history = History(("a", "b"), 300.0, np.random.default_rng(2).uniform(1, 9, (20, 2, 2)))
    first, steps = stretch(history, asked())
    assert steps == 8
    cut, scale = scaled(history.hosts, history.matrices_bps[first : first + steps], asked())
    assert cut.matrices_bps.sum(axis=(1, 2)).mean() == pytest.approx(60e6)
    np.testing.assert_allclose(cut.matrices_bps / scale, history.matrices_bps[first : first + 8])
    assert stretch(history, asked(steps=None))[1] == 10
    with pytest.raises(MeasurementError, match="2 to 20"):
        stretch(history, asked(steps=21))


def asked(**more: object) -> argparse.Namespace:
    usual = {"steps": 8, "step_s": 2.0, "mbps": 60.0, "seed": 3}
    return argparse.Namespace(**(usual | {"generated": False, "tcp_percent": 0.0} | more))


def test_part_of_an_excerpt_is_tcp() -> None:
    rates_bps = np.random.default_rng(2).uniform(1e6, 2e6, (8, 5, 5)) * (1 - np.eye(5))
    cut, _ = scaled(("a", "b", "c", "d", "e"), rates_bps, asked(tcp_percent=40.0))
    number = {host: n for n, host in enumerate(cut.hosts)}
    of_tcp = sum(cut.matrices_bps[:, number[a], number[b]].sum() for a, b in cut.tcp_pairs)
    assert of_tcp / cut.matrices_bps.sum() == pytest.approx(0.4, abs=0.05)


def test_acknowledgements_are_no_traffic_of_the_pairs() -> None:
    clean = seen()
    few = np.linspace(START_S, START_S + 9.0, 200)
    ends = {"source": np.zeros(200, np.int16), "target": np.ones(200, np.int16)}
    answered = Seen(
        np.concatenate([clean.arrival_s, few]),
        np.concatenate([clean.source, ends["source"]]),
        np.concatenate([clean.target, ends["target"]]),
        np.concatenate([clean.frame_bytes, np.full(200, 66, np.int32)]),
        clean.port_bytes,
        clean.read_s,
    )
    found = [figures(network(), schedule(), one, START_S, 0) for one in (clean, answered)]
    assert found[0] == found[1]


def test_what_the_wire_leaves_alone_scores_as_it_did() -> None:
    random = np.random.default_rng(4)
    made, unseen, known = (random.lognormal(13, 1, (60, 4, 4)) * (1 - np.eye(4)) for _ in range(3))
    traffic = MadeTraffic(made, unseen, known, 300.0)
    rows = {
        row["what"]: row["figures"] for row in scored(traffic, 2.0, 2 * made, 2 * made.sum(axis=1))
    }
    assert rows["scores of pairs, on the wire"] == rows["scores of pairs, made"]
    assert rows["scores of hosts, by port counters"] == rows["scores of hosts, made"]
    worse = {row["what"]: row["figures"] for row in scored(traffic, 2.0, made, made.sum(axis=1))}
    before, after = (worse[f"scores of pairs, {what}"] for what in ("made", "on the wire"))
    assert after["total_emd"] > before["total_emd"] + 0.3


def test_short_series_have_no_scores_that_need_more() -> None:
    rates_bps = np.random.default_rng(5).lognormal(13, 1, (300, 6))
    assert set(scores(rates_bps[:60], rates_bps[60:120], 300.0)) == {
        "jsd",
        "emd",
        "total_emd",
        "correlation_error",
    }
    assert "acf_error" in scores(rates_bps, rates_bps, 300.0)
    assert "hurst_error" not in scores(rates_bps, rates_bps, 300.0)
    assert scores(rates_bps[:20], rates_bps[20:40], 300.0) == {}


def test_another_real_stretch_is_of_thesame_time() -> None:
    hour = np.arange(14 * 24.0)
    history = History(("a", "b"), 3600.0, hour[:, None, None] * np.ones((2, 2)))
    training, unseen = history.split(0.75)
    assert same_time(training, unseen.part(5, 10))[0, 0, 1] == unseen.matrices_bps[5, 0, 1] - 168
    short, rest = history.part(0, 100).split(0.75)
    assert same_time(short, rest.part(3, 8))[0, 0, 1] == rest.matrices_bps[3, 0, 1] - 24
    with pytest.raises(MeasurementError, match="give 75 at most"):
        same_time(short, History(("a", "b"), 3600.0, np.ones((76, 2, 2))))


def test_the_packets_of_low_rates_are_as_far_apart_as_several_steps() -> None:
    even = np.full(5, 1000.0)
    assert own_distance_s(even, 2.0, 100.0, 4.0) == pytest.approx(0.1)
    assert own_distance_s(even, 2.0, 3000.0, 4.0) == pytest.approx(3.0)
    slow_between = np.array([1000.0, 1000.0, 100.0, 1000.0, 1000.0])
    assert own_distance_s(slow_between, 2.0, 1000.0, 4.0) == pytest.approx(2.8)
    assert own_distance_s(slow_between, 2.0, 100.0, 2.0) == pytest.approx(0.1)
    silent_between = np.array([1000.0, 0.0, 1000.0])
    assert own_distance_s(silent_between, 2.0, 100.0, 2.0) == pytest.approx(2.1, abs=0.01)

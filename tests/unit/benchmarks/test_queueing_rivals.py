"""The textbook queues against their textbook values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.queueing_rivals import fitted_machine, md1, mm1, mm1k, predict
from topologies.catalogue import load_topology
from topologies.paths import shortest_paths
from twin.fitting import cases_of
from twin.samples import Sample, Samples

ROOM = np.array([20.0, 20.0])


def test_mm1_and_md1_at_half_load() -> None:
    load = np.array([0.5, 0.8])
    assert mm1(load, ROOM)[0] == pytest.approx([1, 4])
    assert md1(load, ROOM)[0] == pytest.approx([0.5, 2])


def test_a_bounded_queue_is_the_unbounded_one_while_it_is_short() -> None:
    load = np.array([0.3, 0.5])
    for bounded, unbounded in zip(mm1k(load, ROOM), mm1(load, ROOM), strict=True):
        assert bounded == pytest.approx(unbounded, abs=2e-3)


def test_overload_loses_what_does_not_fit() -> None:
    load = np.array([2.0, 1.25])
    for queue in (mm1, md1, mm1k):
        assert queue(load, ROOM)[2] == pytest.approx([0.5, 0.2], abs=0.01)


def test_what_a_machine_adds_at_every_link_is_found() -> None:
    topology = load_topology("triangle")
    pairs = len(topology.od_pairs)
    routing = {**shortest_paths(topology), ("h1", "h2"): ("s1", "s3", "s2")}
    sample = Sample(
        network="triangle",
        number=0,
        load=0.5,
        paths=tuple(routing[pair] for pair in topology.od_pairs),
        od_bps=(1e6,) * pairs,
        frame_bytes=(1442.0,) * pairs,
        since_s=2.0,
        duration_s=4.0,
        packets=(300,) * pairs,
        lost=(0,) * pairs,
        mean_ms=(1.0,) * pairs,
        p95_ms=(1.0,) * pairs,
    )
    (case,) = cases_of(Samples({"triangle": topology}, (sample,)))
    slower = replace(case, mean_ms=predict(case, md1, machine=(0.7, 0.2))[0])
    assert fitted_machine([slower], md1) == pytest.approx((0.7, 0.2), abs=0.02)

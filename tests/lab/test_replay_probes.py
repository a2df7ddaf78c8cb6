"""Probe streams with real irtt processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from namespaces_lab import open_namespaces

from results.run_directory import read_lines
from testbed.probes import ProbePlan, Probes
from testbed.records import ProbeStream

pytestmark = pytest.mark.sandbox

OFFSET_S = time.time() - time.monotonic()


def test_streams_live_through_an_outage_and_are_recorded_at_the_stop(tmp_path: Path) -> None:
    output = tmp_path / "probes.jsonl"
    plans = [ProbePlan("a", "b", "outage", 2.0), ProbePlan("b", "c", "latency", 20.0)]
    with open_namespaces("a", "b", "c") as lab:
        probes = Probes(lab.hosts, lab.ipv4, output, OFFSET_S)
        probes.start(plans, longest_s=60)
        begun_s = time.monotonic()
        await_instant(begun_s + 1.0)
        cut_s = time.monotonic()
        lab.set_reachable("a", False)
        await_instant(begun_s + 1.5)
        lab.set_reachable("a", True)
        mended_s = time.monotonic()
        await_instant(begun_s + 4.0)
        stopped_s = time.monotonic()
        assert probes.stop() == ()
        assert time.monotonic() - stopped_s < 2.0

    dense, sparse = read_lines(output, ProbeStream)
    assert dense.pair == ("a", "b")
    assert dense.purpose == "outage"
    assert len(dense.sent_s) == pytest.approx(3.0 / 2e-3, rel=0.35)
    assert begun_s < dense.sent_s[0] < dense.sent_s[-1] < stopped_s - 0.9
    lost = [
        sent for sent, back in zip(dense.sent_s, dense.backward_ms, strict=True) if back is None
    ]
    assert cut_s - 0.05 < lost[0] < cut_s + 0.2
    assert mended_s - 0.2 < lost[-1] < mended_s
    assert len(lost) > 100
    before = [
        ms for sent, ms in zip(dense.sent_s, dense.forward_ms, strict=True) if sent < lost[0] - 0.1
    ]
    assert len(before) > 100
    assert all(ms is not None and 0 < ms < 50 for ms in before)
    assert None not in sparse.forward_ms
    assert len(sparse.sent_s) == pytest.approx(3.0 / 20e-3, rel=0.1)
    assert list(tmp_path.iterdir()) == [output]


def test_an_unreachable_target_is_reported(tmp_path: Path) -> None:
    with open_namespaces("a", "b") as lab:
        lab.set_reachable("b", False)
        probes = Probes(lab.hosts, lab.ipv4, tmp_path / "probes.jsonl", OFFSET_S)
        probes.start([ProbePlan("a", "b", "outage", 10.0)], longest_s=60)
        time.sleep(0.2)
        (problem,) = probes.stop()
    assert problem.startswith("no probes from a to b: ")


def await_instant(instant_s: float) -> None:
    time.sleep(max(0.0, instant_s - time.monotonic()))

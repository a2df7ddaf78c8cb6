from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from recorded_run import RecordedRun, triangle

from results.analysis import analyse
from results.recording import NotARunError
from results.run_directory import RunDirectory
from results.summary import Summary


def steady(seconds: int = 24, **rates_mbps: float) -> np.ndarray:
    """Matrices of a triangle's hosts in which nothing changes: steady(ab=3.0) is ha to hb."""
    index = {"a": 0, "b": 1, "c": 2}
    matrices = np.zeros((seconds, 3, 3))
    for pair, rate in rates_mbps.items():
        matrices[:, index[pair[0]], index[pair[1]]] = rate * 1e6
    return matrices


def summary_of(recorded: RecordedRun, path: Path) -> Summary:
    return analyse(recorded.write(path / "run"))


def test_an_overloaded_link(tmp_path: Path) -> None:
    # 12.5 Mbit/s on the direct link of 10: a fifth is lost; with a detour all could be delivered
    recorded = RecordedRun(triangle(), steady(ab=12.5), policy="shortest-path")
    summary = summary_of(recorded, tmp_path)
    assert summary.valid, summary.reasons
    metrics = summary.metrics
    # the record knows no packets that are under way when it ends: 0.1 of its 20 s
    assert metrics["error_rate_percent"] == pytest.approx(20.0, abs=0.5)
    assert metrics["goodput_mbps"] == pytest.approx(10.0)
    assert metrics["utilisation_percent"] == pytest.approx(80.0)
    assert metrics["replay_wape_percent"] == pytest.approx(20.0)
    assert metrics["max_link_utilisation"]["mean"] == pytest.approx(1.0)
    assert metrics["te_ratio"]["mean"] == pytest.approx(2.0)
    # 5 ms of propagation and a full queue of 100 ms, in bins of 1 ms
    assert metrics["latency_ms"]["mean"] == pytest.approx(105.0)
    assert 105.0 <= metrics["latency_ms"]["p50"] < 106.0
    assert 136.0 <= metrics["latency_ms"]["p99"] < 137.0


def test_what_was_not_measured_is_absent(tmp_path: Path) -> None:
    metrics = summary_of(
        RecordedRun(triangle(), steady(ab=1.0), policy="shortest-path"), tmp_path
    ).metrics
    absent = {
        "outage_ms",
        "detection_s",
        "mitigation_s",
        "false_alarms",
        "predictive_accuracy_percent",
        "predictive_skill",
        "twin_latency_mape_percent",
        "staleness_ms",
        "probe_latency_ms",
    }
    assert absent.isdisjoint(metrics)


def test_a_failure(tmp_path: Path) -> None:
    recorded = RecordedRun(
        triangle(),
        steady(ab=4.0, ba=4.0),
        playbook="network-failure",
        failure=(10.0, ("a", "b")),
        outage_s=0.05,
        reroutes={12.0: {("ha", "hb"): ("a", "c", "b")}},
        probed=[("ha", "hb"), ("ha", "hc")],
    )
    summary = summary_of(recorded, tmp_path)
    outage = summary.metrics["outage_ms"]
    assert (outage["n"], outage["never_recovered"]) == (1, 0)
    assert outage["max"] == pytest.approx(50.0, abs=2.01)
    assert summary.details["recovery_ms"] == {
        "detected": pytest.approx(10.0),
        "applied": pytest.approx(30.0),
        "first_good": pytest.approx(50.0, abs=2.01),
        "rerouted": pytest.approx(2000.0),
    }
    assert summary.details["te_ratio_after_failure"]["mean"] == pytest.approx(1.0)
    assert summary.metrics["utilisation_percent"] == pytest.approx(100.0, abs=0.1)
    assert [span["down"] for span in summary.details["links_by_span"]] == [
        [],
        [["a", "b"], ["b", "a"]],
    ]


def test_a_breach(tmp_path: Path) -> None:
    recorded = RecordedRun(
        triangle(),
        steady(30, ab=4.0),
        playbook="security-breach",
        flood=(10.0, 24.0, ("ha", "hb"), 16e6),
        blocked_after_s=13.0,
    )
    metrics = summary_of(recorded, tmp_path).metrics
    assert metrics["detection_s"] == pytest.approx(1.5)
    assert metrics["mitigation_s"] == pytest.approx(3.0)
    assert 3.0 < metrics["goodput_restored_s"] <= 4.0
    assert metrics["goodput_restored_percent"] == pytest.approx(100.0)
    assert metrics["false_alarms"] == 0
    assert metrics["floods_undetected"] == 0


def test_the_twin_is_judged_by_what_came_later(tmp_path: Path) -> None:
    matrices = steady(ab=4.0)
    matrices[::2] *= 0.5
    recorded = RecordedRun(triangle(), matrices, probed=[("ha", "hb")])
    metrics = summary_of(recorded, tmp_path).metrics
    # the forecast is off by half of what persistence is off; the predicted delay by a tenth
    assert metrics["persistence_accuracy_percent"] == pytest.approx(100 * (1 - 2 / 3), rel=1e-4)
    assert metrics["predictive_accuracy_percent"] == pytest.approx(100 * (1 - 1 / 3), rel=1e-4)
    assert metrics["twin_latency_mape_percent"] == pytest.approx(10.0)


def test_the_summary_is_written_as_plain_json(tmp_path: Path) -> None:
    summary = summary_of(RecordedRun(triangle(), steady(ab=1.0)), tmp_path)
    written = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert set(written) == {
        "run",
        "playbook",
        "policy",
        "protection",
        "seed",
        "verdict",
        "valid",
        "reasons",
        "warnings",
        "metrics",
        "details",
    }
    assert written["metrics"] == summary.metrics
    assert set(summary.document()) == set(written) - {"details"}


def test_a_run_that_was_killed_still_says_what_it_saw(tmp_path: Path) -> None:
    run = RecordedRun(triangle(), steady(ab=12.5)).write(tmp_path / "run")
    events = run.events.read_text().splitlines(keepends=True)
    run.events.write_text("".join(line for line in events if "-end" not in line))
    for path in (run.traffic, run.telemetry, run.twin):
        lines = path.read_bytes()
        path.write_bytes(lines[: len(lines) * 6 // 10])
    summary = analyse(run)
    assert not summary.valid
    assert "the run ended before its measured window was over" in summary.reasons
    assert summary.metrics["error_rate_percent"] == pytest.approx(20.0, abs=1.0)
    assert summary.metrics["te_ratio"]["mean"] == pytest.approx(2.0)


def test_a_damaged_line_is_noted_and_what_precedes_it_counts(tmp_path: Path) -> None:
    run = RecordedRun(triangle(), steady(ab=1.0)).write(tmp_path / "run")
    run.twin.write_bytes(b"not json\n" + run.twin.read_bytes())
    run.probes.unlink()
    notes = analyse(run).details["notes"]
    assert any("twin.jsonl: only the first 0 records" in note for note in notes)
    assert "probes.jsonl is missing" in notes


def test_nothing_but_a_manifest(tmp_path: Path) -> None:
    run = RecordedRun(triangle(), steady(ab=1.0)).write(tmp_path / "run")
    for path in tmp_path.glob("run/*.jsonl"):
        path.unlink()
    summary = analyse(run)
    assert summary.reasons == ("the run ended before anything was measured",)
    assert summary.metrics == {}


def test_a_directory_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(NotARunError, match=r"not a run directory \(no run.json\)"):
        analyse(RunDirectory(tmp_path))
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(NotARunError, match="cannot be read"):
        analyse(RunDirectory(tmp_path))

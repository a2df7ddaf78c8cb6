"""A run's telemetry becomes a history."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from controller.messages import Message, OdCounters, OdStats
from generators.history import HistoryError
from results.run_directory import Event, Manifest, RunDirectory
from results.run_history import history_of_run
from topologies.catalogue import load_topology


def write(run_dir: RunDirectory, telemetry: list[Message], events: list[Event]) -> None:
    manifest = Manifest(
        run="r",
        playbook="p",
        policy="twin",
        seed=0,
        started_at="2026-01-06T00:00:00+00:00",
        realtime_minus_monotonic_s=1_767_657_600.0 - 100.0,  # at 100 s: Tuesday 2026-01-06, 00:00
        interval_s=2.0,
        backend="userspace",
        versions={},
    )
    run_dir.manifest.write_bytes(msgspec.json.encode(manifest))
    run_dir.write_topology(load_topology("triangle"))
    for path, lines in ((run_dir.telemetry, telemetry), (run_dir.events, events)):
        path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def test_rates_gaps_and_labels(tmp_path: Path) -> None:
    run_dir = RunDirectory(tmp_path)
    telemetry: list[Message] = []
    for tick in range(40):
        t_s = 98 + 0.5 * tick
        if 104 < t_s < 106:
            continue  # the switch was silent
        count = int(1000 * (t_s - 98))
        pairs = [OdCounters("h1", "h2", 0, count), OdCounters("h1", "h3", 0, 2 * count)]
        telemetry.append(OdStats(t_s=t_s, datapath="s1", pairs=tuple(pairs[:: 1 - 2 * (tick % 2)])))
    events = [
        Event(t_s=100.0, event="traffic-start"),
        Event(t_s=103.0, event="flood-start"),
        Event(t_s=105.5, event="flood-end"),
        Event(t_s=110.0, event="traffic-end"),
    ]
    write(run_dir, telemetry, events)
    history = history_of_run(run_dir)
    assert history.steps == 5
    assert history.start_s == pytest.approx(86_400)
    np.testing.assert_allclose(history.rates_bps[:2, :2], [[8000, 16000]] * 2)
    assert np.isnan(history.rates_bps[:, 2:]).all()  # never counted
    assert history.labels == ("", "attack", "attack", "", "")
    assert history.gaps[:, 0].any() == history.gaps[:, 1].any()


def test_a_flood_goes_on_when_a_fault_meanwhile_ends(tmp_path: Path) -> None:
    run_dir = RunDirectory(tmp_path)
    counted = (OdCounters("h1", "h2", 0, 0),)
    telemetry: list[Message] = [
        OdStats(t_s=float(t_s), datapath="s1", pairs=counted) for t_s in range(98, 115)
    ]
    events = [
        Event(t_s=100.0, event="traffic-start"),
        Event(t_s=102.0, event="flood-start"),
        Event(t_s=104.0, event="link-down", detail={"link": ["s1", "s2"]}),
        Event(t_s=106.0, event="link-up", detail={"link": ["s1", "s2"]}),
        Event(t_s=108.0, event="flood-end"),
        Event(t_s=110.0, event="traffic-end"),
    ]
    write(run_dir, telemetry, events)
    labels = ("", "attack", "failure-aftermath", "attack", "")
    assert history_of_run(run_dir).labels == labels


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match=r"not a readable run .*twinbed run"):
        history_of_run(RunDirectory(tmp_path))
    write(RunDirectory(tmp_path), [], [])
    with pytest.raises(HistoryError, match="never began"):
        history_of_run(RunDirectory(tmp_path))

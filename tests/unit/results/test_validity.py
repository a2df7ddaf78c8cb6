from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from recorded_run import T0_S, RecordedRun, triangle

from results.recording import Recording, load_recording
from results.run_directory import Event
from results.validity import judge
from testbed.records import FidelitySample


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    matrices = np.zeros((24, 3, 3))
    matrices[:, 0, 1] = 4e6
    path: Path = tmp_path_factory.mktemp("valid") / "run"
    return load_recording(RecordedRun(triangle(), matrices).write(path))


def with_fidelity(recording: Recording, changed: dict[int, dict[str, Any]]) -> Recording:
    """The recording with some seconds' samples changed."""
    samples: list[FidelitySample] = [
        msgspec.structs.replace(sample, **changed.get(second, {}))
        for second, sample in enumerate(recording.fidelity)
    ]
    return replace(recording, fidelity=tuple(samples))


def test_a_good_run_at_80_percent_of_the_machine_is_valid(recording: Recording) -> None:
    assert judge(recording).reasons == ()


def test_a_busy_second_is_no_reason_but_busy_seconds_are(recording: Recording) -> None:
    busy = {"cpu_percent": 100.0}
    assert judge(with_fidelity(recording, dict.fromkeys((8, 10, 12, 14), busy))).valid
    reasons = judge(with_fidelity(recording, dict.fromkeys(range(8, 14), busy))).reasons
    assert len(reasons) == 1
    assert "97 % busy for 6 s on end" in reasons[0]


def test_late_frames(recording: Recording) -> None:
    spike = {10: {"lateness_p99_ms": 80.0}}
    assert judge(with_fidelity(recording, spike)).valid
    always = {second: {"lateness_p99_ms": 3.0} for second in range(24)}
    assert "3.0 ms late" in judge(with_fidelity(recording, always)).reasons[0]
    sustained = {second: {"lateness_p99_ms": 30.0} for second in (10, 11, 12)}
    assert "late for 3 s on end" in judge(with_fidelity(recording, sustained)).reasons[0]


def test_what_happened_before_measuring_does_not_count(recording: Recording) -> None:
    warm_up = {s: {"cpu_percent": 100.0, "lateness_p99_ms": 90.0} for s in range(4)}
    assert judge(with_fidelity(recording, warm_up)).valid


def test_senders_that_could_not_keep_up(recording: Recording) -> None:
    slow = tuple(
        msgspec.structs.replace(segment, sent_bytes=segment.sent_bytes * 9 // 10)
        for segment in recording.segments
    )
    reasons = judge(replace(recording, segments=slow)).reasons
    assert len(reasons) == 1
    assert "sent 90.0 %" in reasons[0]


def test_problems_interruptions_and_silence(recording: Recording) -> None:
    problem = Event(t_s=T0_S + 9, event="problem", detail={"reason": "the controller died"})
    interrupted = Event(t_s=T0_S + 9, event="interrupted")
    events = (*recording.events, problem, interrupted)
    silent = replace(recording, events=events, received=(), fidelity=())
    assert judge(silent).reasons == (
        "the controller died",
        "the run was interrupted",
        "no packet of the workload was received in the measured window",
        "the lab's own fidelity was not recorded in the measured window",
    )

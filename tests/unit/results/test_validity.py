from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from recorded_run import T0_S, RecordedRun, triangle

from controller.messages import Discovery, Miscabled
from results.bounds import Bound, Bounds
from results.recording import Recording, load_recording
from results.run_directory import Event
from results.validity import LEVELS, MEASURES, judge, worst
from testbed.records import IdleLink, IdlePath

Change = Callable[[Recording, float], Recording]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    matrices = np.zeros((24, 3, 3))
    matrices[:, 0, 1] = 4e6
    path: Path = tmp_path_factory.mktemp("valid") / "run"
    return load_recording(RecordedRun(triangle(), matrices, probed=[("ha", "hb")]).write(path))


def changed(records: Any, **values: Any) -> Any:
    return tuple(msgspec.structs.replace(record, **values) for record in records)


def with_fidelity(recording: Recording, by_second: dict[int, dict[str, Any]]) -> Recording:
    """The recording with some seconds' samples changed."""
    samples = (
        msgspec.structs.replace(sample, **by_second.get(second, {}))
        for second, sample in enumerate(recording.fidelity)
    )
    return replace(recording, fidelity=tuple(samples))


def always(recording: Recording, **values: float) -> Recording:
    return with_fidelity(recording, dict.fromkeys(range(24), values))


def on_end(recording: Recording, seconds: float, **values: float) -> Recording:
    return with_fidelity(recording, dict.fromkeys(range(8, 8 + int(seconds)), values))


def off_delay(recording: Recording, kind: type, error_ms: float) -> Recording:
    """The first record of a kind is off."""
    index, first = next((i, r) for i, r in enumerate(recording.idle) if isinstance(r, kind))
    off = msgspec.structs.replace(first, measured_ms=first.configured_ms + error_ms)
    return replace(recording, idle=(*recording.idle[:index], off, *recording.idle[index + 1 :]))


def late_step(recording: Recording, late_ms: float) -> Recording:
    stated_s = T0_S + 9.0
    step = Event(t_s=stated_s + late_ms / 1e3, event="link-down", detail={"stated_s": stated_s})
    return replace(recording, events=(*recording.events, step))


def late_probes(recording: Recording, late_ms: float) -> Recording:
    """Every tenth packet of the streams is late."""
    streams = tuple(
        msgspec.structs.replace(
            stream,
            sent_s=tuple(
                t_s + (late_ms / 1e3 if number % 10 == 0 else 0.0)
                for number, t_s in enumerate(stream.sent_s)
            ),
        )
        for stream in recording.probes
    )
    return replace(recording, probes=streams)


def late_senders(recording: Recording, late_ms: float) -> Recording:
    segments = tuple(
        msgspec.structs.replace(segment, started_s=segment.start_s + late_ms / 1e3)
        for segment in recording.segments
    )
    return replace(recording, segments=segments)


def unsent(recording: Recording, percent: float) -> Recording:
    segments = tuple(
        msgspec.structs.replace(
            segment,
            requested_bps=8.0 * segment.sent_bytes / segment.duration_s,
            sent_bytes=round(segment.sent_bytes * (1 - percent / 100)),
        )
        for segment in recording.segments
    )
    return replace(recording, segments=segments)


CHANGES: dict[str, Change] = {
    "idle_link_error_ms": lambda run, value: off_delay(run, IdleLink, value),
    "idle_path_error_ms": lambda run, value: off_delay(run, IdlePath, value),
    "lateness_p99_ms": lambda run, value: always(run, lateness_p99_ms=value),
    "late_on_end_s": lambda run, value: on_end(run, value, lateness_p99_ms=80.0),
    "saturated_on_end_s": lambda run, value: on_end(run, value, cpu_percent=100.0),
    "switch_wait_percent": lambda run, value: always(run, switch_wait_percent=value),
    "step_lateness_ms": late_step,
    "probe_lateness_p99_ms": late_probes,
    "traffic_lateness_p99_ms": late_senders,
    "unsent_percent": unsent,
}
"""Makes the measure of a recording what is given."""

BEYOND = {"late_on_end_s": 1.0, "saturated_on_end_s": 1.0}
"""How much over a bound is over it: seconds are whole."""


def test_every_bound_has_its_measure() -> None:
    assert set(MEASURES) == set(CHANGES) == {field.name for field in msgspec.structs.fields(Bounds)}


def test_a_good_run_at_80_percent_of_the_machine_is_valid(recording: Recording) -> None:
    verdict = judge(recording)
    assert (verdict.level, verdict.reasons, verdict.warnings) == ("valid", (), ())
    assert {one.name for one in verdict.judged} >= set(MEASURES) - {
        "switch_wait_percent",
        "step_lateness_ms",
    }


@pytest.mark.parametrize("name", MEASURES)
def test_up_to_a_bound_a_run_is_valid_and_beyond_it_no_more(
    recording: Recording, name: str
) -> None:
    bound: Bound = getattr(Bounds(), name)
    make, beyond = CHANGES[name], BEYOND.get(name, 0.1)
    assert judge(make(recording, bound.degraded - 0.01 * beyond)).level == "valid"
    degraded = judge(make(recording, bound.degraded + beyond))
    assert (degraded.level, degraded.reasons) == ("degraded", ())
    (warning,) = degraded.warnings
    assert f"at most {bound.degraded:g} {MEASURES[name].unit}: {MEASURES[name].mend}" in warning
    invalid = judge(make(recording, bound.invalid + beyond))
    assert invalid.level == "invalid"
    (reason,) = invalid.reasons
    assert f"at most {bound.invalid:g} {MEASURES[name].unit}: {MEASURES[name].mend}" in reason


@pytest.mark.parametrize("name", MEASURES)
def test_a_playbook_may_tighten_a_bound(recording: Recording, name: str) -> None:
    bound: Bound = getattr(Bounds(), name)
    run = CHANGES[name](recording, bound.degraded)
    tight = msgspec.structs.replace(Bounds(), **{name: Bound(0.0, 0.5 * bound.degraded)})
    manifest = msgspec.structs.replace(run.manifest, bounds=tight)
    assert judge(replace(run, manifest=manifest)).level == "invalid"


def test_sentences_say_what_where_and_how_much(recording: Recording) -> None:
    assert "s on end" in judge(on_end(recording, 6, cpu_percent=100.0)).reasons[0]
    assert "97 % busy for 6 s" in judge(on_end(recording, 6, cpu_percent=100.0)).reasons[0]
    assert "3 ms late" in judge(always(recording, lateness_p99_ms=3.0)).reasons[0]
    assert "ha → a was 4.2 ms off" in judge(off_delay(recording, IdleLink, 4.2)).reasons[0]
    assert "ha → hb was 42.2 ms off" in judge(off_delay(recording, IdlePath, 42.2)).reasons[0]
    assert "link-down came 700 ms later" in judge(late_step(recording, 700.0)).reasons[0]
    assert "10 % of the traffic" in judge(unsent(recording, 10.0)).reasons[0]


def test_a_busy_second_is_no_reason(recording: Recording) -> None:
    busy = {"cpu_percent": 100.0}
    assert judge(with_fidelity(recording, dict.fromkeys((8, 10, 12, 14), busy))).level == "valid"
    spike = {10: {"lateness_p99_ms": 80.0}}
    assert judge(with_fidelity(recording, spike)).level == "valid"


def test_what_happened_before_measuring_does_not_count(recording: Recording) -> None:
    warm_up = {s: {"cpu_percent": 100.0, "lateness_p99_ms": 90.0} for s in range(4)}
    assert judge(with_fidelity(recording, warm_up)).level == "valid"


def test_jitter_is_no_error(recording: Recording) -> None:
    links = [one for one in recording.idle if isinstance(one, IdleLink)]
    jittery = changed(links, jitter_ms=3.0, measured_ms=links[0].configured_ms + 4.0)
    flat = changed(jittery, configured_ms=links[0].configured_ms)
    assert judge(replace(recording, idle=flat)).level == "valid"


def test_what_is_dead_makes_a_run_invalid_under_any_bounds(recording: Recording) -> None:
    dead = changed(recording.idle[:5], measured_ms=None, arrived=0)
    (reason,) = judge(replace(recording, idle=(*dead, *recording.idle[5:]))).reasons
    assert "no frame over the link ha → a, a → ha, hb → b and 2 more arrived" in reason


def test_without_records_there_is_no_measure(recording: Recording) -> None:
    old = replace(recording, idle=(), links=(), probes=())
    verdict = judge(old)
    assert verdict.level == "valid"
    measured = {one.name for one in verdict.judged}
    assert measured.isdisjoint({"idle_link_error_ms", "probe_lateness_p99_ms"})


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


def test_the_worst_verdict_wins() -> None:
    assert worst([]) == "valid"
    assert worst(LEVELS) == "invalid"
    assert worst(["valid", "degraded"]) == "degraded"


def test_a_miscabled_network_makes_a_run_invalid(recording: Recording) -> None:
    wrong = Miscabled("s1", "s2", "s3", "s2")
    told = Discovery(t_s=T0_S, links=6, as_configured=5, miscabled=(wrong,))
    verdict = judge(replace(recording, telemetry=(*recording.telemetry, told)))
    assert "frames of s1 to s2 arrive at s3, by its port to s2" in verdict.reasons[0]
    mended = Discovery(t_s=T0_S + 1, links=6, as_configured=6, miscabled=())
    assert judge(replace(recording, telemetry=(told, mended))).level == "valid"

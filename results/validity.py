"""Whether a run is a result at all: the machine must have carried what was asked of it.

A run is `valid`; or `degraded`, still a result but to be read with its warnings; or `invalid`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from controller.messages import Discovery
from results.bounds import Bound, Bounds
from results.happenings import miscabling
from results.metrics import fidelity
from results.metrics.fidelity import Measured
from results.recording import Recording
from results.timeline import Window
from testbed.records import IdleCheck, IdleLink, IdlePath

Level = Literal["valid", "degraded", "invalid"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""From good to bad."""

_LOWER = "lower the load, or use a faster machine"
_ALONE = "let nothing else run beside a lab, or use a faster machine"
_NAMED = 3
"""So many of what is dead are named."""


@dataclass(frozen=True)
class Measure:
    """Something that a run is judged by, and what to say when it is off."""

    label: str
    unit: str
    says: str
    """A sentence about {value} {unit}, of {where}."""
    mend: str


MEASURES: Mapping[str, Measure] = {
    "idle_link_error_ms": Measure(
        "delay of an idle link, error",
        "ms",
        "before the workload, {where} was {value} ms off its configured delay",
        "let nothing else run beside a lab; `twinbed bench links --quick` measures this machine",
    ),
    "idle_path_error_ms": Measure(
        "delay of an idle path, error",
        "ms",
        "before the workload, the path {where} was {value} ms off its configured delay",
        "let nothing else run beside a lab; `twinbed bench links --quick` measures this machine",
    ),
    "lateness_p99_ms": Measure(
        "frames released late, p99 of the median second",
        "ms",
        "frames were released {value} ms late (p99 of the median second)",
        _LOWER,
    ),
    "late_on_end_s": Measure(
        f"frames over {fidelity.LATE_MS:.0f} ms late on end",
        "s",
        f"frames were released over {fidelity.LATE_MS:.0f} ms late for {{value}} s on end",
        _ALONE,
    ),
    "saturated_on_end_s": Measure(
        f"processors over {fidelity.SATURATED_PERCENT:.0f} % busy on end",
        "s",
        f"all processors were over {fidelity.SATURATED_PERCENT:.0f} % busy for {{value}} s on end",
        _LOWER,
    ),
    "switch_wait_percent": Measure(
        "switches waiting for a processor",
        "%",
        "Open vSwitch waited {value} % of the time for a processor",
        _ALONE,
    ),
    "step_lateness_ms": Measure(
        "latest step of the timeline",
        "ms",
        "{where} came {value} ms later than the timeline stated",
        _ALONE,
    ),
    "probe_lateness_p99_ms": Measure(
        "probe packets sent late, p99",
        "ms",
        "probe packets were sent {value} ms late (p99)",
        f"{_LOWER}; fewer or sparser probes help too",
    ),
    "traffic_lateness_p99_ms": Measure(
        "senders started late, p99",
        "ms",
        "senders were started {value} ms late (p99)",
        f"{_LOWER}; longer steps help too",
    ),
    "unsent_percent": Measure(
        "traffic asked for but not sent",
        "%",
        "{value} % of the traffic asked for was not sent",
        _LOWER,
    ),
}
"""By the field of `Bounds` that bounds it."""


@dataclass(frozen=True)
class Judged:
    """A measure beside its bound."""

    name: str
    measured: Measured
    bound: Bound

    @property
    def level(self) -> Level:
        """What this measure alone makes of the run."""
        if self.measured.value > self.bound.invalid:
            return "invalid"
        return "degraded" if self.measured.value > self.bound.degraded else "valid"

    @property
    def sentence(self) -> str:
        """What is off, by how much, and the mend."""
        measure = MEASURES[self.name]
        says = measure.says.format(value=_digits(self.measured.value), where=self.measured.where)
        most = self.bound.invalid if self.level == "invalid" else self.bound.degraded
        return f"{says}; at most {most:g} {measure.unit}: {measure.mend}"


@dataclass(frozen=True)
class Verdict:
    """Whether the figures of a run may be used, and if not, why not."""

    reasons: tuple[str, ...]
    """Why it is invalid."""
    warnings: tuple[str, ...] = ()
    """Why it is degraded."""
    judged: tuple[Judged, ...] = ()

    @property
    def level(self) -> Level:
        """The worst that was found."""
        if self.reasons:
            return "invalid"
        return "degraded" if self.warnings else "valid"


def worst(levels: Iterable[Level]) -> Level:
    """Return the worst of some verdicts; that of none is valid."""
    return max(levels, key=LEVELS.index, default="valid")


def judge(recording: Recording) -> Verdict:
    """Judge a run by what it recorded of itself."""
    judged = tuple(_judged(recording, recording.manifest.bounds))
    sentences: dict[Level, list[str]] = {"valid": [], "degraded": [], "invalid": []}
    for one in judged:
        sentences[one.level].append(one.sentence)
    reasons = (*_flaws(recording), *_dead(recording.idle), *sentences["invalid"])
    return Verdict(reasons, tuple(sentences["degraded"]), judged)


def _judged(recording: Recording, bounds: Bounds) -> Iterator[Judged]:
    for name, measured in _measures(recording).items():
        if measured is not None:
            yield Judged(name, measured, getattr(bounds, name))


def _measures(recording: Recording) -> dict[str, Measured | None]:
    """Every measure of `Bounds`; None where there is no record of it."""
    before = {
        "idle_link_error_ms": fidelity.idle_error_ms(_links(recording.idle)),
        "idle_path_error_ms": fidelity.idle_error_ms(_paths(recording.idle)),
    }
    window = recording.window
    if window is None:
        return before
    samples = [sample for sample in recording.fidelity if window.holds(sample.t_s)]
    return before | {
        "lateness_p99_ms": fidelity.lateness_p99_ms(samples),
        "late_on_end_s": fidelity.late_on_end_s(samples),
        "saturated_on_end_s": fidelity.saturated_on_end_s(samples),
        "switch_wait_percent": fidelity.switch_wait_percent(samples),
        "step_lateness_ms": fidelity.step_lateness_ms(recording.events, window),
        "probe_lateness_p99_ms": fidelity.probe_lateness_p99_ms(recording.probes, window),
        "traffic_lateness_p99_ms": fidelity.traffic_lateness_p99_ms(recording.segments, window),
        "unsent_percent": fidelity.unsent_percent(recording.segments, window),
    }


def _flaws(recording: Recording) -> Iterator[str]:
    """What no bound can excuse."""
    for event in recording.events:
        if event.event == "problem":
            yield str(event.detail.get("reason", event.detail))
        elif event.event == "interrupted":
            yield "the run was interrupted"
    yield from _miscabled(recording)
    window = recording.window
    if window is None:
        yield "the run ended before anything was measured"
        return
    if not recording.complete:
        yield "the run ended before its measured window was over"
    if not any(window.share(r.start_s, r.end_s) for r in recording.workload):
        yield "no packet of the workload was received in the measured window"
    if not _holds_any(window, recording):
        yield "the lab's own fidelity was not recorded in the measured window"


def _miscabled(recording: Recording) -> Iterator[str]:
    """Where frames arrived, by the last that the controller told of it."""
    told = [message for message in recording.telemetry if isinstance(message, Discovery)]
    if told and told[-1].miscabled:
        wrong = told[-1].miscabled
        more = f", and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        yield f"the network is miscabled: {'; '.join(map(miscabling, wrong[:_NAMED]))}{more}"


def _holds_any(window: Window, recording: Recording) -> bool:
    return any(window.holds(sample.t_s) for sample in recording.fidelity)


def _dead(idle: Sequence[IdleCheck]) -> Iterator[str]:
    for what, checked in (("frame over the link", _links(idle)), ("packet by", _paths(idle))):
        dead = [f"{one.src} → {one.dst}" for one in checked if not one.arrived]
        if dead:
            more = f" and {len(dead) - _NAMED} more" if len(dead) > _NAMED else ""
            yield (
                f"before the workload, no {what} {', '.join(dead[:_NAMED])}{more} arrived: "
                "see the logs of the run"
            )


def _links(idle: Iterable[IdleCheck]) -> list[IdleLink]:
    return [one for one in idle if isinstance(one, IdleLink)]


def _paths(idle: Iterable[IdleCheck]) -> list[IdlePath]:
    return [one for one in idle if isinstance(one, IdlePath)]


def _digits(value: float) -> str:
    return f"{value:.0f}" if value == round(value) or value >= 100 else f"{value:.1f}"

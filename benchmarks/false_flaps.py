"""Whether BFD takes full links for dead ones.

A run whose busiest link is asked for 1.3 times its rate under shortest paths, with nothing failing:
every session that is down for a while is a false alarm, which moves traffic for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import yaml

from benchmarks.measured_run import measured_run
from benchmarks.parts import Part, Verdict
from controller.messages import FromController, LinkState
from playbooks.preparation import Prepared, Request, prepare
from results.recording import load_recording
from results.timeline import Window, traffic_start_s
from results.validity import judge as judge_validity
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import at_most

WHAT = "false flaps, protection: bfd"
_STEP_S = 5
_RATE_MBPS = 4
"""Of each link: full links of more than that fill two processors, too."""
_APART_S = 1.0
"""Reports further apart are of different moments."""


class Flaps(msgspec.Struct, frozen=True):
    """What BFD said."""

    minutes: float
    reports: int
    """By ports, that their session is down."""
    moments_s: tuple[float, ...]
    """When they came, since the traffic began; several at once are one moment."""
    validity: str
    """Of the run."""
    reasons: tuple[str, ...] = ()
    """Why it is not valid."""


def parts(topology: str, minutes: float) -> Iterator[Part]:
    """The one thing that is measured here."""
    yield Part(WHAT, partial(measure, topology, minutes), judge)


def judge(flaps: Flaps | None) -> Verdict:
    """There may be none; None, for what could not be measured, is unmet."""
    reports = flaps.reports if flaps else None
    return Verdict([at_most(f"{WHAT}: reports of dead sessions", 0, reports)])


def measure(topology: str, minutes: float) -> Flaps:
    """Run the lab.

    Raises:
        DocumentError: there is no such network.
        MissingProgramError, SandboxUnavailableError, LinkError: this machine cannot do it.
        Interrupted: Ctrl-C ended the run.
        MeasurementError: it ended before its traffic began, or is invalid.
    """
    recording = measured_run(partial(_prepared, topology, minutes), load_recording)
    start_s = traffic_start_s(recording.events)
    if start_s is None:
        raise MeasurementError("the traffic did not begin: " + "; ".join(recording.notes))
    traffic = Window(start_s, start_s + _STEP_S * _steps(minutes))
    down_s = sorted(_dead_sessions(recording.telemetry, traffic))
    verdict = judge_validity(recording)
    flaps = Flaps(minutes, len(down_s), tuple(_moments(down_s)), verdict.level, verdict.reasons)
    return refuse_invalid(flaps)


def _prepared(topology: str, minutes: float, folder: Path) -> Prepared:
    playbook = folder / "full-links.yaml"
    playbook.write_text(yaml.safe_dump(_full_links(topology, minutes)))
    request = Request(playbook, "shortest-path", 1, folder, protection="bfd")
    return prepare(request, lambda *_: None)


def refuse_invalid(flaps: Flaps) -> Flaps:
    """Return what a valid run has found.

    Raises:
        MeasurementError: the run is invalid; the message says why, and what it found.
    """
    if flaps.validity == "invalid":
        raise MeasurementError(
            f"the run is invalid ({'; '.join(flaps.reasons)}); "
            f"it had {flaps.reports} reports at {len(flaps.moments_s)} moments"
        )
    return flaps


def _steps(minutes: float) -> int:
    return max(2, round(60 * minutes / _STEP_S))


def _full_links(topology: str, minutes: float) -> dict[str, object]:
    return {
        "name": "full-links",
        "title": "Links that are full, and nothing else",
        "topology": {"use": topology, "rate_mbps": _RATE_MBPS, "queue_packets": 100},
        "traffic": {
            "kind": "peak",
            "interval_s": _STEP_S,
            "steps": _steps(minutes),
            "shortest_path_mlu": 1.3,
        },
    }


def _dead_sessions(telemetry: Iterable[FromController], traffic: Window) -> Iterator[float]:
    """When ports said so under traffic, since it began."""
    states = (message for message in telemetry if isinstance(message, LinkState))
    for state in states:
        if not state.up and state.cause == "bfd" and traffic.holds(state.t_s):
            yield state.t_s - traffic.start_s


def _moments(reports_s: Iterable[float]) -> Iterator[float]:
    last_s = float("-inf")
    for report_s in reports_s:
        if report_s - last_s > _APART_S:
            yield report_s
        last_s = report_s

"""The timeline: a plan's actions as steps at instants, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from playbooks.plan import Action, Breakdown, ControllerCrash, ControlOutage, Flood, TwinCrash
from results.fault_events import BEGINS, ENDS
from testbed.faults import (
    Degraded,
    EndDown,
    Fault,
    HostCrash,
    LinkDown,
    Silent,
    SwitchCrash,
    ramp,
)


@dataclass(frozen=True)
class SetFault:
    """A fault begins, gets worse, or ends."""

    number: int
    """Which of the plan's actions it belongs to."""
    fault: Fault | None
    """What holds from now on; None: it is over."""
    event: str | None
    """Its name in events.jsonl; the steps of a ramp are not told."""
    detail: dict[str, Any]


@dataclass(frozen=True)
class SetControlChannel:
    """A switch loses or gets its connection to the controller."""

    switch: str
    connected: bool

    @property
    def event(self) -> str:
        """Its name in events.jsonl."""
        return "control-outage-end" if self.connected else "control-outage-start"

    @property
    def detail(self) -> dict[str, Any]:
        """Its details in events.jsonl."""
        return {"switch": self.switch}


@dataclass(frozen=True)
class SetController:
    """The controller is killed, or a new one is started."""

    running: bool

    @property
    def event(self) -> str:
        """Its name in events.jsonl."""
        return "controller-restart" if self.running else "controller-crash"


@dataclass(frozen=True)
class SetTwin:
    """The twin is killed, or a new one is started."""

    running: bool

    @property
    def event(self) -> str:
        """Its name in events.jsonl."""
        return "twin-crash-end" if self.running else "twin-crash"


@dataclass(frozen=True)
class Mark:
    """Something that happens by itself (the schedule carries it) and is to be recorded."""

    event: str
    detail: dict[str, Any]


Step = SetFault | SetControlChannel | SetController | SetTwin | Mark


@dataclass(frozen=True)
class Instant:
    """What is due at once, and when, in seconds after the start of the traffic."""

    at_s: float
    steps: tuple[Step, ...]


def instants(actions: Sequence[Action], measure_from_s: float, duration_s: float) -> list[Instant]:
    """Everything that is to happen, ordered by time."""
    timed: list[tuple[float, Step]] = [
        (measure_from_s, Mark("measure-start", {})),
        (duration_s, Mark("measure-end", {})),
    ]
    for number, action in enumerate(actions):
        timed += _expand(number, action)

    def microseconds(one: tuple[float, Step]) -> int:
        return round(one[0] * 1e6)  # 4.2 + 0.1 and 4.3 are one instant

    in_order = groupby(sorted(timed, key=microseconds), key=microseconds)
    return [Instant(us / 1e6, tuple(step for _, step in due)) for us, due in in_order]


def _expand(number: int, action: Action) -> Iterator[tuple[float, Step]]:
    at_s = action.at_s
    match action:
        case Breakdown():
            yield from _faults(number, action)
        case ControlOutage(switch=switch, for_s=for_s):
            yield at_s, SetControlChannel(switch, connected=False)
            yield at_s + for_s, SetControlChannel(switch, connected=True)
        case ControllerCrash(for_s=for_s):
            yield at_s, SetController(running=False)
            yield at_s + for_s, SetController(running=True)
        case TwinCrash(for_s=for_s):
            yield at_s, SetTwin(running=False)
            yield at_s + for_s, SetTwin(running=True)
        case Flood(for_s=for_s, victim=victim, sources=sources):
            detail = {"victim": victim, "sources": list(sources)}
            yield at_s, Mark("flood-start", detail)
            yield at_s + for_s, Mark("flood-end", detail)


def _faults(number: int, action: Breakdown) -> Iterator[tuple[float, Step]]:
    detail = _detail(action.fault)
    levels: Sequence[tuple[float, Fault]] = [(0.0, action.fault)]
    if isinstance(action.fault, Degraded):
        levels = list(ramp(action.fault, action.over_s))
        detail["over_s"] = action.over_s
    for after_s, fault in levels:
        event = BEGINS[action.kind] if after_s == 0.0 else None
        yield action.at_s + after_s, SetFault(number, fault, event, detail)
    if action.for_s is not None:
        yield action.at_s + action.for_s, SetFault(number, None, ENDS[action.kind], detail)


def _detail(fault: Fault) -> dict[str, Any]:
    """Its details in events.jsonl, as results/fault_events.py reads them."""
    match fault:
        case LinkDown(link=link):
            return {"link": list(link)}
        case EndDown(link=link, end=end):
            return {"link": list(link), "end": end}
        case Silent(directions=directions):
            one_way = {"from": directions[0][0]} if len(directions) == 1 else {}
            return {"link": list(directions[0])} | one_way
        case Degraded(link=link):
            said = ("loss_percent", "delay_ms", "rate_bps")
            values = {name: getattr(fault, name) for name in said}
            return {"link": list(link)} | {k: v for k, v in values.items() if v is not None}
        case SwitchCrash(switch=switch):
            return {"switch": switch}
        case HostCrash(host=host):
            return {"host": host}

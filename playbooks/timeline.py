"""The timeline: a plan's actions as steps at instants, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from playbooks.plan import Action, ControlOutage, Flood, LinkDown
from topologies.model import DirectedLink


@dataclass(frozen=True)
class SetCarrier:
    """Both ends of a link lose or get carrier."""

    link: DirectedLink
    up: bool

    @property
    def event(self) -> str:
        """Its name in events.jsonl."""
        return "link-up" if self.up else "link-down"

    @property
    def detail(self) -> dict[str, Any]:
        """Its details in events.jsonl."""
        return {"link": list(self.link)}


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
class Mark:
    """Something that happens by itself (the schedule carries it) and is to be recorded."""

    event: str
    detail: dict[str, Any]


Step = SetCarrier | SetControlChannel | Mark


@dataclass(frozen=True)
class Instant:
    """A step and when it is due, in seconds after the start of the traffic."""

    at_s: float
    step: Step


def instants(actions: Sequence[Action], measure_from_s: float, duration_s: float) -> list[Instant]:
    """Everything that is to happen, ordered by time."""
    window = [
        Instant(measure_from_s, Mark("measure-start", {})),
        Instant(duration_s, Mark("measure-end", {})),
    ]
    steps = [instant for action in actions for instant in _expand(action)]
    return sorted([*window, *steps], key=lambda instant: instant.at_s)


def _expand(action: Action) -> Iterator[Instant]:
    match action:
        case LinkDown(at_s=at_s, link=link, for_s=for_s):
            yield Instant(at_s, SetCarrier(link, up=False))
            if for_s is not None:
                yield Instant(at_s + for_s, SetCarrier(link, up=True))
        case ControlOutage(at_s=at_s, switch=switch, for_s=for_s):
            yield Instant(at_s, SetControlChannel(switch, connected=False))
            yield Instant(at_s + for_s, SetControlChannel(switch, connected=True))
        case Flood(at_s=at_s, for_s=for_s, victim=victim, sources=sources):
            detail = {"victim": victim, "sources": list(sources)}
            yield Instant(at_s, Mark("flood-start", detail))
            yield Instant(at_s + for_s, Mark("flood-end", detail))

"""What happened in a run, one line each: the timeline's events and the controller's news.

Counters are no news.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from controller.messages import (
    DatapathState,
    Discovery,
    DropDone,
    FromController,
    Gap,
    Hello,
    LinkSilence,
    LinkState,
    Miscabled,
    Ready,
    RerouteDone,
    Route,
    Routes,
)
from results.run_directory import Event

_NAMED = 3
"""So many routes are named."""

_ABOUT = ("link", "switch", "host", "victim")


@dataclass(frozen=True)
class Happening:
    """One thing that happened."""

    t_s: float
    """On CLOCK_MONOTONIC."""
    what: str
    about: str = ""
    """A link, a switch, a host."""
    detail: str = ""


def happening(record: Event | FromController) -> Happening | None:
    """What a record tells; None when it is no news."""
    if isinstance(record, Event):
        return _of_event(record)
    told = _of_message(record)
    return None if told is None else Happening(record.t_s, *told)


def _of_event(event: Event) -> Happening:
    detail = {name: value for name, value in event.detail.items() if name != "stated_s"}
    about = ", ".join(_words(detail.pop(name)) for name in _ABOUT if name in detail)
    rest = ", ".join(f"{name} {_words(value)}" for name, value in detail.items())
    return Happening(event.t_s, event.event, about, rest)


def _words(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)


def _of_message(message: FromController) -> tuple[str, str, str] | None:
    """What happened, about what, and how."""
    match message:
        case Hello(topology=topology):
            return "controller-started", topology, ""
        case Ready(datapaths=switches, routes=routes):
            return "controller-ready", "", f"{switches} switches, {routes} routes"
        case DatapathState(datapath=switch, connected=connected):
            return ("switch-connected" if connected else "switch-lost"), switch, ""
        case LinkState(datapath=switch, neighbour=neighbour, up=up, cause=cause):
            return ("port-up" if up else "port-down"), f"{switch}→{neighbour}", cause
        case LinkSilence(datapath=switch, neighbour=neighbour, silent=silent):
            what = "link-suspected-silent" if silent else "link-heard-again"
            return what, f"{switch}→{neighbour}", ""
        case Gap(datapath=switch, missing=missing):
            return "gap", switch, f"no {missing}"
        case Discovery(miscabled=()):
            found = f"{message.as_configured} of {message.links} directions as configured"
            return "links-discovered", "", found
        case Discovery(miscabled=miscabled):
            return "links-miscabled", "", "; ".join(map(miscabling, miscabled[:_NAMED]))
        case Routes(cause=cause, routes=routes):
            return f"routes-{cause}", "", _routes(routes)
        case RerouteDone(request_id=request_id):
            return "reroute-done", request_id, _phases(message)
        case DropDone(request_id=request_id, reason=reason):
            took = f"in {_ms(message.applied_s - message.received_s)}"
            return "drop-done", request_id, reason or took
        case _:
            return None


def miscabling(wrong: Miscabled) -> str:
    """Where a cable leads, in one sentence."""
    return (
        f"frames of {wrong.datapath} to {wrong.neighbour} arrive at {wrong.far_datapath}, by its "
        f"port to {wrong.far_neighbour}"
    )


def _routes(routes: tuple[Route, ...]) -> str:
    if len(routes) > _NAMED:
        return f"{len(routes)} pairs"
    return "; ".join(f"{r.src}→{r.dst} by {' '.join(r.path)}" for r in routes)


def _phases(done: RerouteDone) -> str:
    """The time of each phase since the one before."""
    instants_s = (done.received_s, done.installed_s, done.switched_s, done.removed_s)
    took = [_ms(later - earlier) for earlier, later in pairwise(instants_s)]
    phases = "installed {}, switched {}, removed {}".format(*took)
    reasons = "; ".join(f"{r.src}→{r.dst}: {r.reason}" for r in done.refused[:_NAMED])
    refused = f", {len(done.refused)} refused ({reasons})" if done.refused else ""
    return f"{len(done.applied)} moved{refused}: {phases}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"

"""Situations for what-if: the network and traffic of a playbook, or of a run, live or finished."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from controller.messages import FromController, Hello
from generators.schedule import Schedule
from playbooks import schema
from playbooks.learnt import failing, learnt
from playbooks.models import Progress, generative_models
from playbooks.plan import Plan, read_plan
from playbooks.preparation import chosen_history, sample_workload
from results.run_directory import Event, RunDirectory, read_lines
from results.timeline import traffic_start_s
from topologies.model import DirectedLink, Link, LinkShape, OdPair, Topology, Ways
from topologies.paths import shortest_paths
from topologies.policies import Traffic, is_denied
from twin.indexing import FloatArray, Indexing
from twin.matrix import mean_matrix_bps
from twin.mirror import FLOW_LAG_S, Mirror
from twin.model import Correction
from twin.situation import Situation, admitted

When = float | Literal["busiest", "newest"]
"""Seconds into the traffic; or the interval with most traffic, or the last that is complete."""

_NONE: frozenset[OdPair] = frozenset()
_KNOWN_AFTER_S = FLOW_LAG_S + 0.75
"""After the end of an interval its counters have come: flows are polled twice a second."""


class NoSituationError(Exception):
    """There is nothing to ask about; the message says why, and what to give instead."""


@dataclass(frozen=True)
class Pictured:
    """A situation, and where it comes from in a few words."""

    situation: Situation
    source: str
    correction: Correction | None = None
    """What the twin of the run had learnt by then."""
    gaps: int = 0
    """Pairs without counters in that interval: they are taken to send what they sent last."""


def of_playbook(
    file: Path, seed: int, history: Path | None, when: When, progress: Progress
) -> Pictured:
    """The baseline routes and the workload's matrix at that time.

    Raises:
        DocumentError, HistoryError: the playbook or the history cannot be used.
        NoSituationError: the traffic does not last so long.
    """
    playbook = schema.load_playbook(file)
    topology = playbook.network()
    models = generative_models(topology, chosen_history(history, topology), progress)
    schedule = sample_workload(playbook, topology, models.gan, seed)
    indexing = Indexing(topology)
    od_bps = schedule.matrices_bps[:, indexing.source, indexing.target]
    udp = Traffic("udp")
    is_tcp = [pair in schedule.tcp_pairs for pair in indexing.pairs]
    denied = [is_denied(topology, pair, udp) for pair in indexing.pairs]
    od_bps[:, np.array(denied) & ~np.array(is_tcp)] = 0.0
    step = _step(when, schedule.interval_s, od_bps.sum(axis=1))
    weight = playbook.routing.weight
    situation = Situation(
        topology,
        weight,
        shortest_paths(topology, weight),
        admitted(topology, od_bps[step], schedule.tcp_pairs),
        tcp_pairs=schedule.tcp_pairs,
    )
    return Pictured(situation, f"{playbook.name}, seed {seed}, {_when(step, schedule.interval_s)}")


def of_run(run_dir: RunDirectory, when: When) -> Pictured:
    """What a run's telemetry, and its twin, tell of an interval.

    Raises:
        NoSituationError: it has no complete interval, or none then.
        OSError, msgspec.DecodeError: it is no run directory.
    """
    plan = read_plan(run_dir.path)
    topology = run_dir.read_topology()
    indexing = Indexing(topology)
    seen = list(_intervals(run_dir, plan, Mirror(indexing, keep_s=np.inf)))
    if not seen:
        raise NoSituationError(
            f"{run_dir.path} has no complete interval of traffic yet: ask again after "
            f"{plan.interval_s:g} s of traffic, or ask about its playbook"
        )
    step = _step(when, plan.interval_s, np.array([np.nansum(one.od_bps) for one in seen]))
    picture = seen[step]
    known = np.array([one.od_bps for one in seen[: step + 1]])
    correction = learnt(run_dir, picture.end_s)
    situation = Situation(
        topology=topology,
        weight=plan.weight,
        routing=picture.routing,
        od_bps=_last_known(known),
        down=picture.down,
        shapes=_shapes(run_dir, topology, correction, picture.end_s),
        tcp_pairs=Schedule.load(run_dir.schedule).tcp_pairs if run_dir.schedule.exists() else _NONE,
    )
    return Pictured(
        situation,
        f"{run_dir.path.name}, {_when(step, plan.interval_s)}",
        replace(correction, capacity_factor={}),  # the links' shapes have it
        int(np.isnan(picture.od_bps).sum()),
    )


@dataclass(frozen=True)
class _Picture:
    """The mirror at the end of an interval."""

    end_s: float
    routing: Ways
    down: frozenset[DirectedLink]
    dropped: frozenset[OdPair]
    od_bps: FloatArray


def _intervals(run_dir: RunDirectory, plan: Plan, mirror: Mirror) -> Iterator[_Picture]:
    start_s = traffic_start_s(read_lines(run_dir.events, Event))
    if start_s is None:
        return
    telemetry: Iterator[FromController] = read_lines(run_dir.telemetry, cast(Any, FromController))
    waiting: list[_Picture] = []
    end_s = start_s + plan.interval_s
    last_s = start_s + plan.duration_s + plan.interval_s / 2
    known = _Picture(end_s, {}, frozenset(), frozenset(), np.empty(0))
    for message in telemetry:
        over = message.t_s >= end_s and end_s <= last_s
        # A new controller has yet to find out how things are: they are as they were before it.
        if mirror.ready and (over or isinstance(message, Hello)):
            state = dict(mirror.routing), mirror.down, mirror.dropped
            known = _Picture(end_s, *state, np.empty(0))
        while message.t_s >= end_s and end_s <= last_s:
            waiting.append(replace(known, end_s=end_s))
            end_s += plan.interval_s
        mirror.receive(message)
        if waiting and message.t_s > waiting[0].end_s + _KNOWN_AFTER_S:
            yield _measured(waiting.pop(0), mirror, plan.interval_s)
    for picture in waiting:
        if mirror.flows_cover(picture.end_s):
            yield _measured(picture, mirror, plan.interval_s)


def _measured(picture: _Picture, mirror: Mirror, interval_s: float) -> _Picture:
    start_s = picture.end_s - interval_s
    od_bps = mean_matrix_bps(mirror, start_s, picture.end_s, picture.dropped)
    return replace(picture, od_bps=od_bps)


def _shapes(
    run_dir: RunDirectory, topology: Topology, correction: Correction, until_s: float
) -> Mapping[DirectedLink, LinkShape]:
    """What the twin has found links to be like that are not as configured.

    The worse of the two directions counts for both: so it is with what can happen to a link here.
    """
    levels = failing(run_dir, until_s)

    def shape(link: Link) -> LinkShape:
        factors = (correction.capacity_factor.get(hop, 1.0) for hop in link.directions)
        lost = (levels.get((hop, "loss"), 0.0) for hop in link.directions)
        later_ms = (levels.get((hop, "delay"), 0.0) for hop in link.directions)
        return replace(
            link.shape,
            rate_bps=link.shape.rate_bps * min(factors),
            loss_percent=min(link.shape.loss_percent + 100 * max(lost), 100.0),
            delay_ms=link.shape.delay_ms + max(later_ms),
        )

    shapes = {(link.a, link.b): (link.shape, shape(link)) for link in topology.core_links}
    return {ends: found for ends, (usual, found) in shapes.items() if found != usual}


def _last_known(rates_bps: FloatArray) -> FloatArray:
    """(pairs,) the last finite rate in (intervals, pairs); zero where there never was one."""
    known = np.zeros(rates_bps.shape[1])
    for row in rates_bps:
        known = np.where(np.isnan(row), known, row)
    return known


def _step(when: When, interval_s: float, total_bps: FloatArray) -> int:
    if isinstance(when, str):
        return int(np.argmax(total_bps)) if when == "busiest" else len(total_bps) - 1
    step = int(when // interval_s)
    if not 0 <= step < len(total_bps):
        last_s = len(total_bps) * interval_s
        raise NoSituationError(f"--at {when:g}: the traffic lasts from 0 to {last_s:g} s")
    return step


def _when(step: int, interval_s: float) -> str:
    return f"{step * interval_s:g} to {(step + 1) * interval_s:g} s of the traffic"

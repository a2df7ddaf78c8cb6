"""The mirror of a run at an instant, made from its telemetry: live and afterwards alike."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from controller.messages import (
    FromController,
    GroupCounters,
    MeterCounters,
    Route,
    WeightedPath,
    route_of,
)
from playbooks.learnt import learnt, records_of_the_living
from playbooks.plan import read_plan
from results.run_directory import Event, RunDirectory, read_lines
from topologies.model import OdPair, Policy, Topology, Way
from twin.indexing import FloatArray, Indexing
from twin.matrix import PORT_WINDOW_S, current_matrix_bps
from twin.mirror import Mirror
from twin.model import PerformanceModel
from twin.records import Distrusted

_LOSS_WINDOW_S = 1.0
_LAG_S = 0.5
"""Loss is looked at so far back that both ends of a link have been polled since."""


class NotMirroredError(Exception):
    """There is no mirror for that instant; the message says why."""


@dataclass(frozen=True)
class SwitchImage:
    """A switch, and the age of what it last said of itself; None: it has said nothing yet."""

    name: str
    connected: bool
    ports_age_s: float | None
    flows_age_s: float | None
    groups: tuple[GroupCounters, ...]
    """As last counted."""
    meters: tuple[MeterCounters, ...]
    """As last counted. Their numbers are those of the policies, from 1."""


@dataclass(frozen=True)
class LinkImage:
    """One direction of a core link. None is what is not known."""

    sender: str
    receiver: str
    up: bool
    rate_bps: float
    """As configured."""
    believed_bps: float
    """What the twin has learnt that it carries."""
    sent_bps: float | None
    utilisation: float | None
    """Of what it is believed to carry."""
    loss_share: float | None
    """Of the packets sent lately."""
    configured_delay_ms: float
    measured_delay_ms: float | None
    """By the controller's last probe that arrived; a busy machine makes probes late."""
    delay_age_s: float | None
    age_s: float | None


@dataclass(frozen=True)
class PairImage:
    """An OD pair. None is what is not known; without a path it is cut off."""

    src: str
    dst: str
    path: tuple[str, ...] | None
    sent_bps: float | None
    age_s: float | None
    distrusted: bool
    """Its counter is stuck, or jumps: the twin goes by an estimate instead."""
    dropped: bool
    """Where it enters, as a client of the controller has asked for."""
    weight: int = 1
    others: tuple[WeightedPath, ...] = ()
    """The other paths of a split."""

    @property
    def way(self) -> Way | None:
        """The path, or the split over all paths."""
        if self.path is None:
            return None
        return Route(self.src, self.dst, self.path, self.weight, self.others).way


@dataclass(frozen=True)
class MirrorImage:
    """All of it, at one instant."""

    run: str
    live: bool
    at_s: float | None
    """Seconds after the traffic began; None before it did."""
    zones: Mapping[str, tuple[str, ...]]
    """The hosts of each zone."""
    policies: tuple[Policy, ...]
    """In order: the first that a packet matches decides."""
    switches: tuple[SwitchImage, ...]
    links: tuple[LinkImage, ...]
    pairs: tuple[PairImage, ...]


def mirrored(run_dir: RunDirectory, at_s: float | None, *, runs: bool) -> MirrorImage:
    """The mirror `at_s` seconds after the traffic began; or else as it is now, if the lab `runs`,
    or at the end of what is recorded.

    Raises:
        NotMirroredError: nothing was mirrored until then.
        OSError, msgspec.DecodeError: it is no run directory.
    """
    topology = run_dir.read_topology()
    events = {event.event: event.t_s for event in read_lines(run_dir.events, Event)}
    start_s = events.get("traffic-start")
    until_s = math.inf
    if at_s is not None:
        if start_s is None:
            raise NotMirroredError(f"--at {at_s:g}: the traffic of {run_dir.path} has not begun")
        until_s = start_s + at_s
    model = PerformanceModel(Indexing(topology))
    mirror = Mirror(model.indexing, keep_s=2 * read_plan(run_dir.path).interval_s + 10)
    now_s = _replay(run_dir, mirror, until_s)
    live = runs and at_s is None
    if live:
        now_s = time.monotonic()
    elif at_s is not None:
        now_s = until_s
    model.correction = learnt(run_dir, now_s)
    return MirrorImage(
        run=run_dir.path.resolve().name,
        live=live,
        at_s=None if start_s is None or now_s < start_s else now_s - start_s,
        zones=_zones(topology),
        policies=topology.policies,
        switches=_switches(mirror, now_s),
        links=_links(mirror, model.rate_bps, now_s),
        pairs=_pairs(mirror, now_s, _distrusted(run_dir, now_s)),
    )


def _replay(run_dir: RunDirectory, mirror: Mirror, until_s: float) -> float:
    """Let the mirror hear everything until then; return when the last of it was."""
    last_s = None
    telemetry: Iterator[FromController] = read_lines(run_dir.telemetry, cast(Any, FromController))
    for message in telemetry:
        if message.t_s > until_s:
            break
        mirror.receive(message)
        last_s = message.t_s
    if last_s is None or not mirror.ready:
        raise NotMirroredError(
            f"the controller of {run_dir.path} had not confirmed its routes then: ask for later"
        )
    return last_s


def _zones(topology: Topology) -> Mapping[str, tuple[str, ...]]:
    zones: dict[str, tuple[str, ...]] = {}
    for host, zone in topology.zone_of.items():
        if zone is not None:
            zones[zone] = (*zones.get(zone, ()), host)
    return zones


def _switches(mirror: Mirror, now_s: float) -> tuple[SwitchImage, ...]:
    connected = set(mirror.answering)
    return tuple(
        SwitchImage(
            name=switch.name,
            connected=switch.name in connected,
            ports_age_s=_known(now_s - mirror.newest_port_s(switch.name)),
            flows_age_s=_known(now_s - mirror.newest_flow_s(switch.name)),
            groups=mirror.groups(switch.name),
            meters=mirror.meters(switch.name),
        )
        for switch in mirror.indexing.topology.switches
    )


def _links(mirror: Mirror, believed_bps: FloatArray, now_s: float) -> tuple[LinkImage, ...]:
    indexing = mirror.indexing
    sent_bps = mirror.sent_bps(now_s, PORT_WINDOW_S)
    loss = mirror.link_loss(now_s - _LAG_S - _LOSS_WINDOW_S, now_s - _LAG_S)
    delay_ms, told_s = mirror.probes.newest()
    return tuple(
        LinkImage(
            sender=here,
            receiver=there,
            up=(here, there) not in mirror.down,
            rate_bps=float(indexing.rate_bps[number]),
            believed_bps=float(believed_bps[number]),
            sent_bps=_known(sent_bps[number]),
            utilisation=_known(sent_bps[number] / believed_bps[number]),
            loss_share=_known(loss[number]),
            configured_delay_ms=float(indexing.delay_ms[number]),
            measured_delay_ms=_known(delay_ms[number]),
            delay_age_s=_known(now_s - told_s[number]),
            age_s=_known(now_s - mirror.newest_port_s(here)),
        )
        for number, (here, there) in enumerate(indexing.topology.core_directions)
    )


def _distrusted(run_dir: RunDirectory, until_s: float) -> frozenset[OdPair]:
    """The pairs that the twin has distrusted last."""
    pairs: frozenset[OdPair] = frozenset()
    for record in records_of_the_living(run_dir, until_s):
        if isinstance(record, Distrusted):
            pairs = frozenset(record.pairs)
    return pairs


def _pairs(mirror: Mirror, now_s: float, distrusted: frozenset[OdPair]) -> tuple[PairImage, ...]:
    indexing = mirror.indexing
    rates_bps: FloatArray = current_matrix_bps(mirror, now_s, mirror.dropped)
    routes = (route_of(pair, mirror.routing.get(pair, ())) for pair in indexing.pairs)
    return tuple(
        PairImage(
            src=route.src,
            dst=route.dst,
            path=route.path or None,
            sent_bps=_known(rates_bps[number]),
            age_s=_known(now_s - mirror.newest_flow_s(indexing.topology.switch_of[route.src])),
            distrusted=indexing.pairs[number] in distrusted,
            dropped=indexing.pairs[number] in mirror.dropped,
            weight=route.weight,
            others=route.others,
        )
        for number, route in enumerate(routes)
    )


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

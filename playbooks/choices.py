"""The choices that a playbook leaves open, settled: which link is the busiest, what is probed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from generators.schedule import FloatArray, Schedule
from playbooks import event_sections, schema
from playbooks.busiest import busiest_host, busiest_link, busiest_switch, pairs_by_rate
from playbooks.checks import BUSIEST
from playbooks.plan import Action, Breakdown, ControllerCrash, ControlOutage, Flood, TwinCrash
from testbed.faults import (
    Degraded,
    EndDown,
    Fault,
    HostCrash,
    LinkDown,
    Silent,
    SwitchCrash,
)
from testbed.probes import ProbePlan
from topologies.model import DirectedLink, OdPair, Routing, Topology
from topologies.paths import path_directions


def settled(
    event: event_sections.Event,
    topology: Topology,
    routing: Routing,
    mean_bps: FloatArray,
    schedule: Schedule,
) -> Iterator[Action]:
    """What is to be done for an event of the timeline: a flap is several failures of its link."""

    def switch_of(name: str) -> str:
        return busiest_switch(topology, mean_bps) if name == BUSIEST else name

    match event:
        case event_sections.Flood():
            sources = tuple(flood.source for flood in schedule.floods)
            yield Flood(event.at_s, event.for_s, schedule.floods[0].victim, sources)
        case event_sections.ControlOutage():
            yield ControlOutage(event.at_s, switch_of(event.switch), event.for_s)
        case event_sections.ControllerCrash():
            yield ControllerCrash(event.at_s, event.for_s)
        case event_sections.TwinCrash():
            yield TwinCrash(event.at_s, event.for_s)
        case event_sections.SwitchCrash():
            fault: Fault = SwitchCrash(switch_of(event.switch))
            yield Breakdown(event.at_s, event.do, fault, event.for_s)
        case event_sections.HostCrash():
            busiest = event.host == BUSIEST
            host = busiest_host(topology, mean_bps) if busiest else event.host
            yield Breakdown(event.at_s, event.do, HostCrash(host), event.for_s)
        case _:
            busiest = event.link == BUSIEST
            link = busiest_link(topology, routing, mean_bps) if busiest else event.link
            yield from _of_link(event, (link[0], link[1]))


def _of_link(event: event_sections.LinkFault, link: DirectedLink) -> Iterator[Breakdown]:
    match event:
        case event_sections.LinkDown():
            yield Breakdown(event.at_s, event.do, LinkDown(link), event.for_s)
        case event_sections.EndDown(end=end):
            yield Breakdown(event.at_s, event.do, EndDown(link, end or link[0]), event.for_s)
        case event_sections.Silent(sender=sender):
            one_way = (link if sender == link[0] else link[::-1],)
            directions = (link, link[::-1]) if sender is None else one_way
            yield Breakdown(event.at_s, event.do, Silent(directions), event.for_s)
        case event_sections.Degrade():
            rate_bps = None if event.rate_mbps is None else event.rate_mbps * 1e6
            worst = Degraded(link, event.loss_percent, event.delay_ms, rate_bps)
            yield Breakdown(event.at_s, event.do, worst, event.for_s, event.over_s)
        case event_sections.Flap():
            for cycle in range(event.times):
                at_s = event.at_s + cycle * (event.down_s + event.up_s)
                yield Breakdown(at_s, event.do, LinkDown(link), event.down_s)


def probe_plans(
    section: schema.ProbesSection,
    topology: Topology,
    routing: Routing,
    mean_bps: FloatArray,
    actions: Sequence[Action],
) -> tuple[ProbePlan, ...]:
    """The streams: sparse ones between the busiest pairs, dense ones between those that faults hit.

    A crashed switch hits the pairs whose path leads through it. Its own hosts are cut off until it
    is back, and so is a crashed host: no routing could help them, so they are not probed for it.
    """
    pairs = pairs_by_rate(topology, mean_bps)
    faults = [action.fault for action in actions if isinstance(action, Breakdown)]
    hit = {pair for pair in pairs if any(_hits(fault, pair, routing) for fault in faults)}
    affected = [pair for pair in pairs if pair in hit][: section.outage.pairs]
    return (
        *(
            ProbePlan(*pair, "latency", section.latency.spacing_ms)
            for pair in pairs[: section.latency.pairs]
        ),
        *(ProbePlan(*pair, "outage", section.outage.spacing_ms) for pair in affected),
    )


def _hits(fault: Fault, pair: OdPair, routing: Routing) -> bool:
    """Whether it interrupts what `pair` sends, or the echoes."""
    paths = [routing[one] for one in (pair, pair[::-1]) if one in routing]
    crossed = {direction for path in paths for direction in path_directions(path)}
    match fault:
        case LinkDown(link=link) | EndDown(link=link) | Degraded(link=link):
            return not crossed.isdisjoint({link, link[::-1]})
        case Silent(directions=directions):
            return not crossed.isdisjoint(directions)
        case SwitchCrash(switch=switch):
            return any(switch in path[1:-1] for path in paths)
        case HostCrash():
            return False

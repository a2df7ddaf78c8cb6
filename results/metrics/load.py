"""What the links carried, and how far the routing was from the best possible one.

Counters arrive whenever the controller polled; read off at common instants (linear in between)
their differences are mean rates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from controller.messages import FromController, OdStats, PortStats, Routes
from generators.records import Segment
from results.metrics.delivery import sending_span
from results.run_directory import Event
from results.timeline import FloatArray, Window, surviving_spans
from topologies.loads import link_rates_bps, max_link_utilisation
from topologies.model import DirectedLink, OdPair, Topology, Way, Ways
from topologies.optimum import min_max_utilisation
from topologies.splits import hops_of

Key = TypeVar("Key")


@dataclass(frozen=True)
class LinkLoads:
    """Utilisation of the core links, from port counters."""

    edges_s: FloatArray
    """(steps + 1,) where one step ends and the next begins."""
    utilisation: FloatArray
    """(steps, directions) of the link's rate, in the order of `Topology.core_directions`."""

    @property
    def max_over_time(self) -> FloatArray:
        """(steps,) utilisation of the busiest direction (MLU)."""
        maximum: FloatArray = self.utilisation.max(axis=1, initial=0.0)
        return maximum

    def within(self, window: Window) -> FloatArray:
        """Return the utilisation of the steps inside a window."""
        inside = (self.edges_s[:-1] >= window.start_s) & (self.edges_s[1:] <= window.end_s)
        return self.utilisation[inside]


def link_loads(
    telemetry: Iterable[FromController], topology: Topology, window: Window, step_s: float
) -> LinkLoads | None:
    """Return the utilisation of every core direction in steps of `window`; None without counters.

    The steps end where the counters of any switch end.
    """
    counters: dict[DirectedLink, list[tuple[float, int]]] = {}
    for message in telemetry:
        if isinstance(message, PortStats):
            for port in message.ports:
                direction = (message.datapath, port.neighbour)
                counters.setdefault(direction, []).append((message.t_s, port.tx_bytes))
    core = {d: counters[d] for d in topology.core_directions if d in counters}
    measured = _rates_bps(core, window, step_s)
    if measured is None:
        return None
    edges_s, rates = measured
    silent = np.zeros(len(edges_s) - 1)
    in_order = [rates.get(direction, silent) for direction in topology.core_directions]
    return LinkLoads(edges_s, np.column_stack(in_order) / link_rates_bps(topology))


def entering_rates_bps(
    telemetry: Iterable[FromController], window: Window, step_s: float
) -> tuple[FloatArray, dict[OdPair, FloatArray]] | None:
    """Return the steps' edges and the rate at which every OD pair entered the network in each."""
    counters: dict[OdPair, list[tuple[float, int]]] = {}
    for message in telemetry:
        if isinstance(message, OdStats):
            for pair in message.pairs:
                of_pair = counters.setdefault((pair.src, pair.dst), [])
                of_pair.append((message.t_s, pair.bytes))
    return _rates_bps(counters, window, step_s)


def sent_rates_bps(
    segments: Iterable[Segment], window: Window, step_s: float
) -> tuple[FloatArray, dict[OdPair, FloatArray]] | None:
    """Return the same by what the senders say; of one that says nothing, what was asked for."""
    edges_s = window.edges(step_s)
    rates: dict[OdPair, FloatArray] = {}
    for one in segments:
        known = one.sent_packets >= 0 and one.duration_s > 0
        rate_bps = 8.0 * one.sent_bytes / one.duration_s if known else one.requested_bps
        start_s, end_s = sending_span(one)
        spans_s = np.minimum(edges_s[1:], end_s) - np.maximum(edges_s[:-1], start_s)
        shares = np.maximum(0.0, spans_s) / step_s
        rates[one.pair] = rates.get(one.pair, 0.0) + rate_bps * shares
    return (edges_s, rates) if rates and len(edges_s) > 1 else None


def delivered_rates_bps(
    telemetry: Iterable[FromController], hosts: Sequence[str], window: Window, step_s: float
) -> tuple[FloatArray, dict[str, FloatArray]] | None:
    """Return the steps' edges and the rate at which every host's port let packets out in each."""
    counters: dict[str, list[tuple[float, int]]] = {}
    for message in telemetry:
        if isinstance(message, PortStats):
            for port in message.ports:
                if port.neighbour in hosts:
                    of_host = counters.setdefault(port.neighbour, [])
                    of_host.append((message.t_s, port.tx_bytes))
    return _rates_bps(counters, window, step_s)


@dataclass(frozen=True)
class TeRatios:
    """Max link utilisation / the least that any routing could reach, step by step.

    Both for the matrix that entered the network in the step, the routes then in force, and the
    links then up. Offered load: an overloaded link counts with more than its rate.
    """

    edges_s: FloatArray
    """(steps + 1,)"""
    ratios: tuple[float | None, ...]
    """None for a step without traffic, or without any route."""

    def within(self, window: Window) -> list[float]:
        """Return the ratios of the steps inside a window."""
        spans = zip(self.edges_s, self.edges_s[1:], self.ratios, strict=False)
        return [ratio for a, b, ratio in spans if ratio is not None and window.covers(a, b)]


def te_ratios(
    telemetry: Sequence[FromController],
    topology: Topology,
    events: Sequence[Event],
    window: Window,
    step_s: float,
    segments: Sequence[Segment] = (),
) -> TeRatios | None:
    """Compare the routing with the best possible one over `window`; None without counters.

    Where no switch counts pairs, what the `segments` have sent stands for what entered.
    """
    measured = entering_rates_bps(telemetry, window, step_s)
    if observed := measured is None:
        measured = sent_rates_bps(segments, window, step_s)
    if measured is None:
        return None
    edges_s, rates = measured
    host = {name.name: index for index, name in enumerate(topology.hosts)}
    spans = list(surviving_spans(events, topology, window))
    routings = _routings(telemetry, (edges_s[:-1] + edges_s[1:]) / 2)
    ratios: list[float | None] = []
    for step, routing in enumerate(routings):
        matrix = np.zeros((len(host), len(host)))
        for (source, target), of_pair in rates.items():
            matrix[host[source], host[target]] = of_pair[step]
        middle_s = (edges_s[step] + edges_s[step + 1]) / 2
        down = next(down for span, down in spans if span.holds(middle_s))
        if observed and _crosses(routing, down):  # new paths were not seen yet
            ratios.append(None)
            continue
        best = min_max_utilisation(topology, matrix, down)
        reached = max_link_utilisation(topology, routing, matrix)
        ratios.append(reached / best if best > 0 and reached > 0 else None)
    return TeRatios(edges_s, tuple(ratios))


def _routings(telemetry: Iterable[FromController], instants_s: FloatArray) -> list[Ways]:
    """Return the routes confirmed by each of the rising instants."""
    changes = [message for message in telemetry if isinstance(message, Routes)]
    routing: dict[OdPair, Way] = {}
    routings: list[Ways] = []
    seen = 0
    for instant_s in instants_s:
        while seen < len(changes) and changes[seen].t_s <= instant_s:
            routing.update({(r.src, r.dst): r.way for r in changes[seen].routes})
            seen += 1
        routings.append(dict(routing))
    return routings


def _crosses(routing: Ways, down: frozenset[DirectedLink]) -> bool:
    return any(hop in down for way in routing.values() for hop in hops_of(way))


def _rates_bps(
    counters: Mapping[Key, Sequence[tuple[float, int]]], window: Window, step_s: float
) -> tuple[FloatArray, dict[Key, FloatArray]] | None:
    series = {key: np.array(points, dtype=np.float64).T for key, points in counters.items()}
    if not series:
        return None
    last_s = min(float(times[-1]) for times, _ in series.values())
    edges_s = Window(window.start_s, min(window.end_s, last_s)).edges(step_s)
    if len(edges_s) < 2:
        return None
    rates = {
        key: 8.0 * np.diff(np.interp(edges_s, times, _growing(total))) / step_s
        for key, (times, total) in series.items()
    }
    return edges_s, rates


def _growing(total: FloatArray) -> FloatArray:
    """A counter that went backwards belongs to a switch that lost its state: it counts on."""
    steps = np.diff(total, prepend=total[:1])
    grown: FloatArray = np.where(steps < 0, total, steps).cumsum()
    return grown

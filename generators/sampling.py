"""From the GAN to a schedule that can be replayed on a topology at a chosen operating point."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from generators.schedule import FloatArray, Flood, Schedule
from topologies.loads import max_link_utilisation
from topologies.model import OdPair, Routing, Topology
from topologies.paths import Weight, path_directions, shortest_paths
from topologies.policies import Traffic, is_denied

if TYPE_CHECKING:  # torch takes seconds to import, and nothing here needs it
    from generators.gan import TrafficGan
    from generators.kinds import Kind

_TCP = Traffic("tcp")
MIN_RATE_BPS = 8_000.0
"""Pairs below send nothing: a 1,000-byte packet a second is too few to measure anything."""

_ACCESS_SHARE = 0.9
"""Of its access link, at most, for one pair or one attack source."""
_CORE_SHARE = 0.8
"""Of the slowest core link on its shortest path, at most, before `_ACCESS_SHARE`."""
_FLOODS = 64
"""Attacks made, to choose one with the right number of sources."""
_MIN_SOURCE_SHARE = 0.1
"""Of a flood's volume: who sends less is not counted as a source."""
_MIN_INTENSITY = 0.2
"""Of a flood's peak: it begins and ends with this."""
_MOST_COMPENSATION = 1.5
"""Of the scale without cuts: more would flatten the traffic against its limits."""


@dataclass(frozen=True)
class FloodRequest:
    """A volumetric attack on one host; the GAN's attack class gives its shape and its shares."""

    victim: str
    sources: int
    rate_bps: float
    """Of all sources together, at the peak."""
    start_step: int
    steps: int


def sample_schedule(
    gan: TrafficGan,
    topology: Topology,
    kind: Kind,
    steps: int,
    interval_s: float,
    seed: int,
    shortest_path_mlu: float,
    weight: Weight = "delay",
    flood: FloodRequest | None = None,
    tcp_percent: float = 0.0,
) -> Schedule:
    """Sample a schedule; the same arguments give the same one, bit for bit.

    All matrices are scaled by one constant such that the mean matrix loads the busiest link of the
    shortest paths to `shortest_path_mlu` of its rate (above 1: overload). Rates too small to matter
    are zeroed and rates that no access link carries are cut; `Schedule.notes` says how much. Pairs
    that come to `tcp_percent` of the traffic, as nearly as whole pairs can, are TCP.

    Raises:
        ValueError: the GAN was trained for other hosts, or the flood does not fit the topology or
            the schedule.
    """
    hosts = tuple(host.name for host in topology.hosts)
    if gan.hosts != hosts:
        raise ValueError(f"the GAN was trained for the hosts {gan.hosts}, not for {topology.name}")
    matrices_bps = gan.sample(kind, 1, seed, steps).matrices_bps[0]
    routing = shortest_paths(topology, weight)
    limits_bps = _pair_limits_bps(topology, routing)
    scaled_bps, notes = _at_operating_point(
        matrices_bps, topology, routing, limits_bps, shortest_path_mlu
    )
    floods: tuple[Flood, ...] = ()
    if flood is not None:
        floods, flood_notes = _floods(gan, topology, flood, scaled_bps.mean(axis=0), steps, seed)
        notes += flood_notes
    both_ways = ((pair, pair[::-1]) for pair in topology.od_pairs)
    barred = {p for p, back in both_ways if any(is_denied(topology, w, _TCP) for w in (p, back))}
    tcp_pairs = choose_tcp_pairs(hosts, scaled_bps.mean(axis=0), tcp_percent, seed, barred)
    return Schedule(hosts, interval_s, scaled_bps, floods, notes, tcp_pairs)


def choose_tcp_pairs(
    hosts: Sequence[str],
    mean_bps: FloatArray,
    percent: float,
    seed: int,
    barred: AbstractSet[OdPair] = frozenset(),
) -> frozenset[OdPair]:
    """Pairs by lot that send `percent` of all that `mean_bps` (hosts, hosts) holds, or next to.

    None of those that are `barred`: policies deny their packets, or the answers.
    """
    sending = zip(*np.nonzero(mean_bps), strict=True)
    pairs = {(hosts[i], hosts[j]): float(mean_bps[i, j]) for i, j in sending}
    drawn = [pair for pair in pairs if pair not in barred]
    np.random.default_rng(seed).shuffle(drawn)
    reached_bps = np.array([0.0, *accumulate(pairs[pair[0], pair[1]] for pair in drawn)])
    count = int(np.argmin(np.abs(reached_bps - percent / 100 * mean_bps.sum())))
    return frozenset((source, target) for source, target in drawn[:count])


def eligible_sources(topology: Topology, victim: str) -> tuple[str, ...]:
    """Return the hosts that may attack `victim`: those on other switches."""
    switch = topology.switch_of[victim]
    return tuple(host.name for host in topology.hosts if host.switch != switch)


def _pair_limits_bps(topology: Topology, routing: Routing) -> FloatArray:
    """(hosts, hosts): the most that one pair may send; 0 where there is no path."""
    index = {host.name: row for row, host in enumerate(topology.hosts)}
    access_bps = _access_rates_bps(topology)
    limits_bps = np.zeros((len(index), len(index)))
    for (source, target), path in routing.items():
        core = [topology.link_between[hop].shape.rate_bps for hop in path_directions(path)]
        slowest = min(access_bps[source], access_bps[target], *(_CORE_SHARE * r for r in core))
        limits_bps[index[source], index[target]] = _ACCESS_SHARE * slowest
    return limits_bps


def _access_rates_bps(topology: Topology) -> dict[str, float]:
    return {link.a: link.shape.rate_bps for link in topology.access_links}


def _at_operating_point(
    matrices_bps: FloatArray,
    topology: Topology,
    routing: Routing,
    limits_bps: FloatArray,
    target_mlu: float,
) -> tuple[FloatArray, tuple[str, ...]]:
    """Scale, zero and cut; the scale makes up for what that takes from the busiest link."""
    mean_mlu = max_link_utilisation(topology, routing, matrices_bps.mean(axis=0))
    uncut_scale = target_mlu / mean_mlu if mean_mlu > 0 else 1.0
    scale = uncut_scale
    for _ in range(30):
        scaled_bps = _replayable(scale * matrices_bps, limits_bps)
        mlu = max_link_utilisation(topology, routing, scaled_bps.mean(axis=0))
        wanted_scale = scale * target_mlu / mlu if mlu > 0 else scale
        wanted_scale = min(wanted_scale, _MOST_COMPENSATION * uncut_scale)
        if abs(wanted_scale / scale - 1) < 1e-3:
            break
        scale = wanted_scale
    return scaled_bps, _notes(scale * matrices_bps, limits_bps, scale, mlu, target_mlu)


def _replayable(matrices_bps: FloatArray, limits_bps: FloatArray) -> FloatArray:
    return np.minimum(np.where(matrices_bps < MIN_RATE_BPS, 0.0, matrices_bps), limits_bps)


def _notes(
    wanted_bps: FloatArray, limits_bps: FloatArray, scale: float, mlu: float, target_mlu: float
) -> tuple[str, ...]:
    total = wanted_bps.sum() or 1.0
    small = (wanted_bps > 0) & (wanted_bps < MIN_RATE_BPS)
    cut_bps = np.maximum(wanted_bps - limits_bps, 0.0)
    notes = [
        f"the matrices are {scale:.4g} times those the GAN made: the mean one loads the busiest "
        f"link of the shortest paths to {mlu:.3f} of its rate",
        f"{small.sum()} rates below {MIN_RATE_BPS / 1e3:g} kbit/s are zeroed "
        f"({100 * wanted_bps[small].sum() / total:.2f} % of the traffic)",
        f"{(cut_bps > 0).sum()} rates are cut to what their links carry "
        f"({100 * cut_bps.sum() / total:.2f} % of the traffic)",
    ]
    if abs(mlu / target_mlu - 1) >= 0.01:
        notes.append(f"the operating point {target_mlu:g} is out of reach within these limits")
    return tuple(notes)


def _floods(
    gan: TrafficGan,
    topology: Topology,
    request: FloodRequest,
    mean_bps: FloatArray,
    steps: int,
    seed: int,
) -> tuple[tuple[Flood, ...], tuple[str, ...]]:
    if request.victim not in topology.switch_of:
        raise ValueError(f"the victim {request.victim!r} is no host of {topology.name}")
    eligible = eligible_sources(topology, request.victim)
    if not 1 <= request.sources <= len(eligible):
        raise ValueError(
            f"{request.sources} sources for a flood of {request.victim}: "
            f"1 to {len(eligible)} hosts are not on its switch"
        )
    if request.start_step < 0 or request.steps < 1 or request.start_step + request.steps > steps:
        raise ValueError(
            f"a flood of {request.steps} steps from step {request.start_step} on "
            f"does not fit a schedule of {steps} steps"
        )
    random = np.random.default_rng([seed, 0xF100D])
    strangers = _strangers(topology, eligible, request, mean_bps)
    sources = random.choice(np.array(strangers), request.sources, replace=False).tolist()
    profile = _profile(gan, request.sources, request.steps, seed)
    wanted_bps = profile * (request.rate_bps / profile.sum(axis=1).max())
    access_bps = _access_rates_bps(topology)
    limits_bps = _ACCESS_SHARE * np.array([access_bps[source] for source in sources])
    sent_bps = _replayable(wanted_bps, limits_bps)
    rates_bps = np.zeros((steps, request.sources))
    rates_bps[request.start_step : request.start_step + request.steps] = sent_bps
    cut = 100 * (1 - sent_bps.sum() / wanted_bps.sum())
    note = (
        f"the flood of {request.victim} by {', '.join(sources)} peaks at "
        f"{sent_bps.sum(axis=1).max() / 1e6:.3g} Mbit/s; {cut:.2f} % of it is cut"
    )
    floods = (Flood(s, request.victim, r) for s, r in zip(sources, rates_bps.T, strict=True))
    return tuple(floods), (note,)


def _strangers(
    topology: Topology, eligible: tuple[str, ...], request: FloodRequest, mean_bps: FloatArray
) -> list[str]:
    """The half of the eligible hosts that send the victim least: attackers are no old friends."""
    number = {host.name: index for index, host in enumerate(topology.hosts)}
    to_victim_bps = mean_bps[:, number[request.victim]]
    by_rate = sorted(eligible, key=lambda host: float(to_victim_bps[number[host]]))
    return by_rate[: max(request.sources, len(by_rate) // 2)]


def _profile(gan: TrafficGan, sources: int, steps: int, seed: int) -> FloatArray:
    """(steps, sources): the attack of a window, stretched in time, from its first step to its last.

    Taken is the first of many with the number of sources nearest to the wanted. Where
    they are fewer, further sources send like the strongest.
    """
    floods = gan.floods(_FLOODS, seed)
    volumes = floods.sum(axis=1)
    totals = volumes.sum(axis=1, keepdims=True)
    active = (volumes >= _MIN_SOURCE_SHARE * totals) & (totals > 0)
    misfit = np.where(active.any(axis=1), np.abs(active.sum(axis=1) - sources), np.inf)
    best = int(misfit.argmin())
    if not active[best].any():
        return np.ones((steps, sources))
    intensity = floods[best].sum(axis=1)
    strong_steps = np.flatnonzero(intensity >= _MIN_INTENSITY * intensity.max())
    attack = floods[best][strong_steps[0] : strong_steps[-1] + 1]
    columns = [k if k < active.shape[1] and active[best, k] else 0 for k in range(sources)]
    # The nearest step, not a mean of two: pulses keep their edges.
    rows = np.arange(steps) * len(attack) // steps
    return np.asarray(attack[rows][:, columns])

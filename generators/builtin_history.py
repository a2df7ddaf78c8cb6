"""A history for networks nobody has measured: known or gravity demands, set in motion.

The rate of the pair (i, j) at time t is

    base_ij * sqrt(activity_i(t) * activity_j(t)) * exp(noise_ij(t)) * surge_ij(t)

- base: SNDlib's demands where the network has them, else a gravity model: proportional to
  weight_i * weight_j with lognormal node weights (Roughan, "Simplifying the synthesis of Internet
  traffic matrices", ACM CCR 35(5), 2005);
- activity: a daily cycle with its first harmonic, low at night, its phase shifted by the longitude
  of the node, and a weekend level, each with a depth of the node's own (as seen in backbones:
  Lakhina et al., "Structural analysis of network traffic flows", SIGMETRICS 2004);
- noise: an AR(1) process in the logarithm with a relaxation time of a few hours plus a white part,
  driven by Student's t with 5 degrees of freedom (heavy tails, cut at 6 standard deviations), with
  small pairs relatively noisier than large ones (variance grows slower than the square of the mean:
  Cao et al., "Time-varying network tomography", JASA 95, 2000);
- surges: rare benign flash crowds towards one host, from everybody or from one peer, that rise
  within minutes and decay within an hour.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from generators.history import History
from generators.schedule import FloatArray
from topologies.documents import DocumentError
from topologies.model import Topology
from topologies.topohub import demand_matrix

STEP_S = 300.0
_STEPS_PER_HOUR = 12
_HOURS_PER_DAY = 24
_MEAN_PAIR_BPS = 1e6
"""Arbitrary: schedules are scaled to an operating point anyway."""
_RELAXATION_STEPS = 3 * _STEPS_PER_HOUR
_WHITE_SHARE = 0.3
"""Of the noise's standard deviation."""
_SURGES_PER_DAY = 3.0


def builtin_history(topology: Topology, seed: int, days: float = 7.0) -> History:
    """Return `days` of five-minute matrices for `topology`, from Monday 00:00 UTC on.

    The same topology, seed and days give the same history, bit for bit.
    """
    rng = np.random.default_rng([seed, 0x415])
    base_bps = _base_demands_bps(topology, rng)
    hours = np.arange(round(days * _HOURS_PER_DAY * _STEPS_PER_HOUR)) / _STEPS_PER_HOUR
    activity = np.sqrt(_activity(topology, hours, rng))
    noise = np.exp(_noise(base_bps, len(hours), rng))
    surges = _surges(len(topology.hosts), hours, rng)
    matrices_bps = base_bps * activity[:, :, None] * activity[:, None, :] * noise * surges
    return History(tuple(host.name for host in topology.hosts), STEP_S, matrices_bps)


def _base_demands_bps(topology: Topology, rng: np.random.Generator) -> FloatArray:
    hosts = len(topology.hosts)
    weights = rng.lognormal(0.0, 0.7, hosts)
    gravity = np.outer(weights, weights)
    try:
        demands = demand_matrix(topology.name)
    except DocumentError:  # not a network of SNDlib
        demands = gravity
    if demands.shape != gravity.shape:  # a network of the same name with other hosts
        demands = gravity
    demands = demands * (1 - np.eye(hosts))
    return np.asarray(demands / demands.sum() * _MEAN_PAIR_BPS * hosts * (hosts - 1))


def _activity(topology: Topology, hours: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(steps, hosts), around 1."""
    hosts = len(topology.hosts)
    local = hours[:, None] + _hours_east(topology) + rng.normal(0.0, 0.7, hosts)
    angle = 2 * np.pi * (local - 15.0) / _HOURS_PER_DAY  # busiest in mid-afternoon
    depth = rng.uniform(0.2, 0.5, hosts)
    daily = depth * (np.cos(angle) + 0.25 * np.cos(2 * angle))
    weekend = (local // _HOURS_PER_DAY) % 7 >= 5
    weekend_level = np.log(rng.uniform(0.65, 0.9, hosts))
    return np.asarray(np.exp(daily + weekend * weekend_level))


def _hours_east(topology: Topology) -> FloatArray:
    """Local minus universal time of each host's switch; 0 where no position is known."""
    position = {switch.name: switch.position for switch in topology.switches}
    longitudes = [(position[host.switch] or (0.0, 0.0))[0] for host in topology.hosts]
    hours = np.array(longitudes) / 15.0
    return hours if (np.abs(hours) <= 12).all() else np.zeros_like(hours)  # plane coordinates


def _noise(base_bps: FloatArray, steps: int, rng: np.random.Generator) -> FloatArray:
    """(steps, hosts, hosts) of the logarithm."""
    hosts = len(base_bps)
    relative = base_bps / base_bps[base_bps > 0].mean()
    deviation = np.clip(0.3 * np.maximum(relative, 1e-6) ** -0.2, 0.15, 0.9)
    persistence = np.exp(-1 / _RELAXATION_STEPS)
    shocks = _student(rng, (steps, hosts, hosts)) * np.sqrt(1 - persistence**2)
    shocks[0] = _student(rng, (hosts, hosts))  # stationary from the first step on
    slow = lfilter([1.0], [1.0, -persistence], shocks, axis=0)
    white = _WHITE_SHARE * _student(rng, (steps, hosts, hosts))
    return np.asarray(deviation * (slow + white))


def _student(rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """Student's t with 5 degrees of freedom and unit variance, cut at 6."""
    return np.asarray(np.clip(rng.standard_t(5, shape) * np.sqrt(3 / 5), -6, 6))


def _surges(hosts: int, hours: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(steps, hosts, hosts) factors of at least 1."""
    factor = np.ones((len(hours), hosts, hosts))
    for _ in range(rng.poisson(_SURGES_PER_DAY * hours[-1] / _HOURS_PER_DAY)):
        lay_surge(factor, hours - rng.uniform(0, hours[-1]), rng)
    return factor


def lay_surge(matrices_bps: FloatArray, hours_since: FloatArray, rng: np.random.Generator) -> None:
    """Have one host suddenly attract traffic, in place: from everybody or from one peer.

    Args:
        matrices_bps: (steps, hosts, hosts).
        hours_since: (steps,) from the beginning of the surge to each step; negative before it.
        rng: decides which host, from whom, and how much.
    """
    rise = np.clip(hours_since / 0.2, 0, 1)
    gain = 1 + rng.uniform(0.5, 2.0) * rise * np.exp(-np.maximum(hours_since, 0) / 0.6)
    target, peer = rng.choice(matrices_bps.shape[1], 2, replace=False)
    if rng.random() < 0.5:
        matrices_bps[:, :, target] *= gain[:, None]
    else:
        matrices_bps[:, peer, target] *= gain

"""The traffic matrix, from flow counters and port counters together.

Flow counters lag and come in jerks (Open vSwitch refreshes them every 500 ms, a busy one less
often), port counters do not: the port of a host says how much it sends, its flow counters how that
is shared out.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from topologies.model import OdPair
from twin.indexing import FloatArray
from twin.mirror import Mirror

FLOW_WINDOW_S = 1.0
"""Shorter windows of flow counters show their refresh rather than the traffic."""
PORT_WINDOW_S = 0.75

_MOST_SCALING = 2.0
_QUIET_BPS = 10e3  # a host that sends less has no shares worth scaling


def current_matrix_bps(
    mirror: Mirror,
    now_s: float,
    dropped: Collection[OdPair],
    distrusted: Collection[OdPair] = (),
) -> FloatArray:
    """Return (pairs,) what each pair sends now; NaN in gaps and for those that are distrusted."""
    flows_bps = mirror.od_bps(now_s, FLOW_WINDOW_S)
    flows_bps[[mirror.indexing.pair[pair] for pair in distrusted]] = np.nan
    return _shared_out(mirror, flows_bps, mirror.sent_bps(now_s, PORT_WINDOW_S), dropped)


def mean_matrix_bps(
    mirror: Mirror,
    start_s: float,
    end_s: float,
    dropped: Collection[OdPair],
    distrusted: Collection[OdPair] = (),
) -> FloatArray:
    """As `current_matrix_bps`, but what each pair sent on average over [start_s, end_s)."""
    flows_bps = mirror.mean_od_bps(start_s, end_s)
    flows_bps[[mirror.indexing.pair[pair] for pair in distrusted]] = np.nan
    return _shared_out(mirror, flows_bps, mirror.mean_sent_bps(start_s, end_s), dropped)


def _shared_out(
    mirror: Mirror, flows_bps: FloatArray, sent_bps: FloatArray, dropped: Collection[OdPair]
) -> FloatArray:
    """Scale the flows of every host to what its port says.

    Hosts with a dropped pair, and those whose packets the network's policies may drop, are left as
    they are: what is dropped still enters by the port. So are those with a gap, whose share is not
    known.
    """
    indexing = mirror.indexing
    hosts = [host.name for host in indexing.topology.hosts]
    uplinks = [indexing.link[host, indexing.topology.switch_of[host]] for host in hosts]
    by_flows = np.bincount(indexing.source, flows_bps, len(hosts))
    by_port = sent_bps[uplinks]
    blocked = {source for source, _ in dropped}
    usable = np.array([host not in blocked for host in hosts]) & ~indexing.policed
    usable &= np.isfinite(by_port) & (np.nan_to_num(by_flows) > _QUIET_BPS)
    scale = np.ones(len(hosts))
    scale[usable] = np.clip(by_port[usable] / by_flows[usable], 1 / _MOST_SCALING, _MOST_SCALING)
    return np.asarray(flows_bps * scale[indexing.source])

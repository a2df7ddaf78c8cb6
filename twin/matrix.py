"""The traffic matrix of this moment, from flow counters and port counters together."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from topologies.model import OdPair
from twin.indexing import FloatArray
from twin.mirror import Mirror

FLOW_WINDOW_S = 1.0
"""Open vSwitch refreshes flow counters every 500 ms: shorter windows show the refresh."""
PORT_WINDOW_S = 0.5

_MOST_SCALING = 2.0
_QUIET_BPS = 10e3  # a host that sends less has no shares worth scaling


def current_matrix_bps(mirror: Mirror, now_s: float, dropped: Collection[OdPair]) -> FloatArray:
    """Return (pairs,) what each pair sends; NaN in gaps.

    Flow counters lag and come in jerks, port counters do not: the port of a host says how much it
    sends now, its flow counters how that is shared out. Hosts with a dropped pair are left as
    their flow counters say, since what is dropped still enters by the port.
    """
    indexing = mirror.indexing
    hosts = [host.name for host in indexing.topology.hosts]
    flows_bps = mirror.od_bps(now_s, FLOW_WINDOW_S)
    sent_bps = np.bincount(indexing.source, flows_bps, len(hosts))
    uplinks = [indexing.link[host, indexing.topology.switch_of[host]] for host in hosts]
    port_bps = mirror.sent_bps(now_s, PORT_WINDOW_S)[uplinks]
    blocked = {source for source, _ in dropped}
    usable = np.array([host not in blocked for host in hosts])
    usable &= np.isfinite(port_bps) & (np.nan_to_num(sent_bps) > _QUIET_BPS)
    scale = np.ones(len(hosts))
    scale[usable] = np.clip(port_bps[usable] / sent_bps[usable], 1 / _MOST_SCALING, _MOST_SCALING)
    return np.asarray(flows_bps * scale[indexing.source])

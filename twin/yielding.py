"""What pairs of TCP send where links are full: they give way to UDP, and share what it leaves."""

from __future__ import annotations

import numpy as np

from topologies.model import Ways
from twin.indexing import BoolArray, FloatArray
from twin.model import PerformanceModel


def with_tcp_giving_way(
    model: PerformanceModel, routing: Ways, od_bps: FloatArray, is_tcp: BoolArray
) -> FloatArray:
    """(pairs,) `od_bps`, but of pairs of TCP no more than their max-min fair share."""
    asked = is_tcp & (od_bps > 0)
    sent_bps = np.where(asked, 0.0, od_bps)
    while asked.any():
        _, share_bps = model.predict_elastic(routing, sent_bps, asked.astype(np.float64))
        content = asked & (od_bps <= share_bps)
        if not content.any():
            sent_bps[asked] = share_bps[asked]
            break
        # Who asks for less than its share leaves the rest to the others.
        sent_bps[content] = od_bps[content]
        asked &= ~content
    return sent_bps

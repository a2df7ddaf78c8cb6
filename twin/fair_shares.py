"""What elastic traffic (TCP) gets of a network: max-min fair shares of what the rest leaves.

Progressive filling: all rates grow alike; those through a link that is full stop there.
D. Bertsekas, R. Gallager, "Data Networks", Prentice Hall 1992, section 6.5.2.
"""

from __future__ import annotations

import numpy as np

from twin.indexing import FloatArray, IntArray


def fair_shares(hops: IntArray, flows: FloatArray, left_bps: FloatArray) -> FloatArray:
    """The rate of every pair, all its flows together.

    Args:
        hops: (pairs, longest) links of every pair's path, filled up with `len(left_bps)`.
        flows: (pairs,) elastic flows of each pair: its weight.
        left_bps: (links,) what other traffic leaves; negative is nothing.
    """
    links = len(left_bps)
    rate_bps = np.zeros(len(hops))
    left = np.append(np.maximum(left_bps, 0.0), np.inf)
    growing = (flows > 0) & (hops != links).any(axis=1)
    while growing.any():
        weight = np.zeros(links + 1)
        np.add.at(weight, hops[growing], flows[growing][:, None])
        weight[links] = 0.0
        used = np.flatnonzero(weight)
        room = left[used] / weight[used]
        step = room.min()
        rate_bps[growing] += step * flows[growing]
        left[used] -= step * weight[used]
        full = np.zeros(links + 1, dtype=bool)
        full[used[room <= step]] = True
        growing &= ~full[hops].any(axis=1)
    return rate_bps

"""Split conformal prediction: how far off predictions were on samples that fitting has not seen.

Lei, G'Sell, Rinaldo, Tibshirani, Wasserman, "Distribution-free predictive inference for
regression", JASA 113, 2018.
"""

from __future__ import annotations

import math

import numpy as np

from twin.indexing import FloatArray


def margin(scores: FloatArray, coverage: float) -> float:
    """The score that a new one stays below with probability `coverage`, at least.

    `scores` are sizes of errors, exchangeable with the new one. Infinite where they are too few.
    """
    rank = math.ceil((len(scores) + 1) * coverage)
    if rank > len(scores):
        return math.inf
    return float(np.partition(scores, rank - 1)[rank - 1])

"""How sure a percentile of few values is: intervals between order statistics, without a model.

Between which of the sorted values a percentile lies follows from the binomial distribution alone:
David and Nagaraja, "Order Statistics", 3rd edition, 2003, section 7.1.
"""

from __future__ import annotations

from collections.abc import Sequence

from scipy.stats import binom

from benchmarks.report import Interval

_CONFIDENCE = 0.95


def percentile_interval(values: Sequence[float], percent: float) -> Interval:
    """Where the percentile lies of what `values`, some perhaps infinite, were drawn from."""
    ranked = [None if value == float("inf") else value for value in sorted(values)]
    below = binom(len(ranked), percent / 100)  # how many values are below the percentile
    tail = (1 - _CONFIDENCE) / 2
    low = int(below.ppf(tail))  # fewer are below with a probability less than the tail
    high = int(below.ppf(1 - tail)) + 1
    return Interval(
        ranked[low - 1] if low > 0 else None,
        ranked[high - 1] if high <= len(ranked) else None,
    )

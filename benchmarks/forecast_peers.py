"""Forecasts of statsforecast and neuralforecast, at the few steps that their cost allows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.peers import PeerError, run_peer
from twin.indexing import FloatArray, IntArray

_SCRIPTS = ("statistical_forecast", "neural_forecast")


@dataclass(frozen=True)
class PeerForecast:
    """What one method forecast."""

    name: str
    now: IntArray
    """(forecasts,) the steps it was asked at."""
    rates_bps: FloatArray
    """(forecasts, horizons, series)"""


def peer_forecasts(
    rates_bps: FloatArray, cut: int, aheads: Sequence[int], steps_a_day: int, seed: int
) -> Iterator[PeerForecast | tuple[str, PeerError]]:
    """Forecast the steps from `cut` on, `aheads` steps ahead, by each method of each package.

    Yields:
        What a method forecast; of a package that cannot be had, its script and why.
    """
    asked = {
        "rates_bps": rates_bps,
        "cut": np.array(cut),
        "aheads": np.array(aheads),
        "day": np.array(steps_a_day),
        "now": np.arange(cut - 1, len(rates_bps) - max(aheads)),
    }
    for script in _SCRIPTS:
        with tempfile.TemporaryDirectory(prefix="twinbed-peer-") as folder:
            try:
                answer = run_peer("forecasting", script, Path(folder), asked, seed)
            except PeerError as error:
                yield script, error
                continue
        for name, forecast in answer.items():
            if not name.endswith(" steps"):
                now = answer[f"{name} steps"].astype(np.int64)
                yield PeerForecast(name, now, forecast)

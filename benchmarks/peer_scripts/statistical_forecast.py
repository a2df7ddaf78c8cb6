"""Forecasts of statsforecast: AutoETS and MSTL, fitted anew at a few steps.

Every origin is a fit of every series, so the steps asked for are thinned to what minutes allow;
`NAME steps` says which were forecast.
"""

import sys

import numpy as np
from statsforecast.models import MSTL, AutoETS

ORIGINS = 12
RECENT_STEPS = 288  # that AutoETS, which knows no season here, is fitted to


def main(asked_path: str, answered_path: str) -> None:
    """Read what is asked, write (origins, series) for each method."""
    with np.load(asked_path) as asked:
        rates, now = asked["rates_bps"], asked["now"]
        ahead, day = int(asked["ahead"]), int(asked["day"])
    steps = now[:: max(1, len(now) // ORIGINS)][:ORIGINS]
    ets = AutoETS(season_length=1)
    seasonal = MSTL(season_length=day, trend_forecaster=AutoETS(season_length=1, model="ZZN"))
    answer = {}
    for name, model, known in (("AutoETS", ets, RECENT_STEPS), ("MSTL", seasonal, len(rates))):
        forecasts = [
            [
                model.forecast(y=series[max(0, step + 1 - known) : step + 1], h=ahead)["mean"][-1]
                for series in rates.T
            ]
            for step in steps
        ]
        answer[name] = np.maximum(np.array(forecasts, dtype=np.float64), 0.0)
        answer[f"{name} steps"] = steps
    np.savez(answered_path, allow_pickle=False, **answer)


if __name__ == "__main__":
    main(*sys.argv[1:])

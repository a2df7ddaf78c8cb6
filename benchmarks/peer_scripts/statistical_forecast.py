"""Forecasts of statsforecast: AutoETS and MSTL, fitted anew at a few steps.

Every step is a fit of every series, so only a few of those asked for are forecast, and from no
more of the past than said here; `NAME steps` in the answer tells which.
"""

import sys

import numpy as np
from statsforecast.models import MSTL, AutoETS

ETS_FITS, ETS_PAST = 24, 288  # steps; it knows no season here
MSTL_FITS, MSTL_DAYS = 4, 4


def main(asked_path: str, answered_path: str) -> None:
    """Read what is asked, write (steps, horizons, series) for each method."""
    with np.load(asked_path) as asked:
        rates, now, aheads = asked["rates_bps"], asked["now"], asked["aheads"]
        day = int(asked["day"])
    ets = AutoETS(season_length=1)
    seasonal = MSTL(season_length=day, trend_forecaster=AutoETS(season_length=1, model="ZZN"))
    answer = {}
    for name, model, fits, known in (
        ("AutoETS", ets, ETS_FITS, ETS_PAST),
        ("MSTL", seasonal, MSTL_FITS, MSTL_DAYS * day),
    ):
        steps = now[np.linspace(0, len(now) - 1, min(fits, len(now))).astype(int)]
        made = [
            [
                model.forecast(y=series[max(0, step + 1 - known) : step + 1], h=max(aheads))["mean"]
                for series in rates.T
            ]
            for step in steps
        ]
        forecast = np.array(made, dtype=np.float64)[..., aheads - 1].transpose(0, 2, 1)
        answer[name] = np.maximum(forecast, 0.0)
        answer[f"{name} steps"] = steps
    np.savez(answered_path, allow_pickle=False, **answer)


if __name__ == "__main__":
    main(*sys.argv[1:])

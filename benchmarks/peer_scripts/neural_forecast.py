"""Forecasts of neuralforecast: NHITS, trained once on the days before the cut.

A global model of all series and horizons (Challu et al., AAAI 2023), trained on the absolute error
as ours is. It looks back a day, takes MAX_STEPS steps, and is asked at FORECASTS steps.
"""

import sys

import numpy as np
import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MAE
from neuralforecast.models import NHITS

MAX_STEPS = 300
FORECASTS = 48


def main(asked_path: str, answered_path: str) -> None:
    """Read what is asked, write (steps, horizons, series)."""
    with np.load(asked_path) as asked:
        rates, now, aheads = asked["rates_bps"], asked["now"], asked["aheads"]
        cut, day, seed = int(asked["cut"]), int(asked["day"]), int(asked["seed"])
    model = NHITS(
        h=int(max(aheads)),
        input_size=day,
        loss=MAE(),
        max_steps=MAX_STEPS,
        scaler_type="standard",
        random_seed=seed,
        accelerator="cpu",
        enable_progress_bar=False,
        logger=False,
        enable_checkpointing=False,
    )
    forecaster = NeuralForecast(models=[model], freq=1)
    forecaster.fit(df=table(rates[:cut]))
    steps = now[np.linspace(0, len(now) - 1, min(FORECASTS, len(now))).astype(int)]
    # The window of each step is a series of its own: one call forecasts from all of them.
    windows = [rates[step + 1 - day : step + 1] for step in steps]
    made = forecaster.predict(df=table(np.concatenate(windows, axis=1)))
    forecast = made.sort_values(["unique_id", "ds"])["NHITS"].to_numpy(dtype=np.float64)
    forecast = forecast.reshape(len(steps), rates.shape[1], -1)[..., aheads - 1]
    forecast = np.maximum(forecast.transpose(0, 2, 1), 0.0)
    np.savez(answered_path, allow_pickle=False, **{"NHITS": forecast, "NHITS steps": steps})


def table(rates: np.ndarray) -> pd.DataFrame:
    """(steps, series) as the long table that the package reads."""
    steps, series = rates.shape
    return pd.DataFrame(
        {
            "unique_id": np.repeat(np.arange(series), steps),
            "ds": np.tile(np.arange(steps), series),
            "y": rates.T.ravel(),
        }
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

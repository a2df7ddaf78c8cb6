"""Forecasts of neuralforecast: DLinear and NHITS, trained once on the days before the cut.

Both are global models of all series (Zeng et al., AAAI 2023; Challu et al., AAAI 2023), trained on
the absolute error as ours is.
"""

import sys

import numpy as np
import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.losses.pytorch import MAE
from neuralforecast.models import NHITS, DLinear
from numpy.typing import NDArray

MAX_STEPS = 300
SEED = 1


def main(asked_path: str, answered_path: str) -> None:
    """Read what is asked, write (origins, series) for each method."""
    with np.load(asked_path) as asked:
        rates, now = asked["rates_bps"], asked["now"]
        cut, ahead, day = int(asked["cut"]), int(asked["ahead"]), int(asked["day"])
    known = min(day, max(4 * ahead, 24))
    common = {
        "h": ahead,
        "input_size": known,
        "loss": MAE(),
        "max_steps": MAX_STEPS,
        "scaler_type": "standard",
        "random_seed": SEED,
        "accelerator": "cpu",
        "enable_progress_bar": False,
        "logger": False,
        "enable_checkpointing": False,
    }
    models = [DLinear(**common), NHITS(**common)]
    forecaster = NeuralForecast(models=models, freq=1)
    forecaster.fit(df=table(rates[:cut]))
    # Each origin's window, as a series of its own: one call forecasts a whole day of them.
    answer: dict[str, list[NDArray[np.float64]]] = {type(model).__name__: [] for model in models}
    for part in np.array_split(now, max(1, len(now) // 48)):
        windows = [rates[step + 1 - known : step + 1] for step in part]
        made = forecaster.predict(df=table(np.concatenate(windows, axis=1)))
        for name, rows in answer.items():
            last = made.groupby("unique_id", sort=True)[name].last().to_numpy()
            rows.append(last.reshape(len(part), rates.shape[1]))
    flat = {name: np.maximum(np.concatenate(rows), 0.0) for name, rows in answer.items()}
    steps = {f"{name} steps": now for name in flat}
    np.savez(answered_path, allow_pickle=False, **flat, **steps)


def table(rates: NDArray[np.float64]) -> pd.DataFrame:
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

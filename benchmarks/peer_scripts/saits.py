"""SAITS (Du, Côté, Liu, "SAITS: self-attention-based imputation for time series", 2023).

Reads `seed`, `history` (steps, pairs) and records `seen_N` (steps, pairs) with NaN for gaps;
answers with `filled_N`. Trained once, on windows of the history, the way PyPOTS does it.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from pypots.imputation import SAITS

WINDOW, STRIDE, EPOCHS = 96, 12, 40


def main(asked: str, answered: str) -> None:
    """Train, fill, write."""
    torch.set_num_threads(1)
    with np.load(asked, allow_pickle=False) as arrays:
        torch.manual_seed(int(arrays["seed"]))
        history = arrays["history"]
        seen = {name: arrays[name] for name in arrays.files if name.startswith("seen_")}
    middle, spread = history.mean(axis=0), history.std(axis=0) + 1e-9 * history.std()
    scaled = (history - middle) / spread
    starts = range(0, len(scaled) - WINDOW + 1, STRIDE)
    model = SAITS(
        n_steps=WINDOW,
        n_features=history.shape[1],
        n_layers=2,
        d_model=128,
        n_heads=4,
        d_k=32,
        d_v=32,
        d_ffn=128,
        dropout=0.1,
        batch_size=32,
        epochs=EPOCHS,
        verbose=False,
    )
    model.fit({"X": np.stack([scaled[at : at + WINDOW] for at in starts])})
    filled = {}
    for name, record in seen.items():
        rates = _filled(model, (record - middle) / spread) * spread + middle
        filled[name.replace("seen", "filled")] = np.where(
            np.isnan(record), np.maximum(rates, 0.0), record
        )
    np.savez(answered, **filled)


def _filled(model: SAITS, record: np.ndarray) -> np.ndarray:
    """Fill a record window by window; each step is taken from the window it is most central in."""
    last = len(record) - WINDOW
    starts = [*range(0, last, WINDOW // 4), last]
    windows = model.impute({"X": np.stack([record[at : at + WINDOW] for at in starts])})
    filled = np.empty(record.shape)
    nearest = np.full(len(record), np.inf)
    off = np.abs(np.arange(WINDOW) - (WINDOW - 1) / 2)
    for at, window in zip(starts, windows, strict=True):
        better = off < nearest[at : at + WINDOW]
        filled[at : at + WINDOW][better] = window[better]
        nearest[at : at + WINDOW][better] = off[better]
    return filled


if __name__ == "__main__":
    main(*sys.argv[1:])

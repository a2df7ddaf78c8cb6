"""PAR, the sequential model of SDV (deepecho): learns days, makes days.

Called with two NPZ files: `logs` (steps, pairs), `day_steps`, `steps` and `seed` in; `logs` out.
"""

import sys

import numpy as np
import torch
from deepecho import PARModel

_EPOCHS = 64
_COARSER = 6
"""PAR is slow: it sees every sixth step of a day, and what lies between is interpolated."""

torch.set_num_threads(1)
with np.load(sys.argv[1]) as given:
    logs, day, steps = given["logs"], int(given["day_steps"]), int(given["steps"])
    torch.manual_seed(int(given["seed"]))
# The last day ends with the history, so that made days begin where it ends.
coarse, length = logs[len(logs) % day :: _COARSER], max(2, day // _COARSER)
days = [coarse[first : first + length] for first in range(0, len(coarse) - length + 1, length)]
sequences = [{"context": [], "data": [column.tolist() for column in one.T]} for one in days]
model = PARModel(epochs=_EPOCHS, cuda=False, verbose=False)
model.fit_sequences(sequences, [], ["continuous"] * logs.shape[1])
made = []
while sum(map(len, made)) * _COARSER < steps:
    made.append(np.array(model.sample_sequence([], length), dtype=float).T)
known = np.concatenate(made)
at = np.arange(steps) / _COARSER
filled = [np.interp(at, np.arange(len(known)), column) for column in known.T]
np.savez(sys.argv[2], logs=np.clip(np.array(filled).T, 0.0, logs.max(axis=0)))

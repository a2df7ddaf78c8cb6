"""DoppelGANger (Lin et al., IMC 2020) as gretel-synthetics has it: learns days, makes days.

Called with two NPZ files: `logs` (steps, pairs), `day_steps`, `steps` and `seed` in; `logs` out.
"""

import sys

import numpy as np
import torch
from gretel_synthetics.timeseries_dgan.config import DGANConfig
from gretel_synthetics.timeseries_dgan.dgan import DGAN

_EPOCHS = 60
_WINDOW_STRIDE = 12

torch.set_num_threads(1)
with np.load(sys.argv[1]) as given:
    logs, day, steps = given["logs"], int(given["day_steps"]), int(given["steps"])
    torch.manual_seed(int(given["seed"]))
windows = np.stack(
    [logs[first : first + day] for first in range(0, len(logs) - day + 1, _WINDOW_STRIDE)]
)
sample_len = next(length for length in (12, 8, 6, 4, 3, 2, 1) if day % length == 0)
model = DGAN(
    DGANConfig(
        max_sequence_len=day,
        sample_len=sample_len,
        batch_size=min(32, len(windows)),
        epochs=_EPOCHS,
        cuda=False,
    )
)
model.train_numpy(features=windows)
_, made = model.generate_numpy(-(-steps // day))
np.savez(sys.argv[2], logs=np.concatenate(list(made))[:steps])

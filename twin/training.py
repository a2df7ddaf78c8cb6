"""Training the forecaster on a history of traffic."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from topologies.model import Topology
from twin.band import MISSES
from twin.detection import benign_share
from twin.forecast import GrowthNetwork, LearnedForecaster, log_errors
from twin.forecaster import FEWEST, HORIZONS, LOOKBACK
from twin.indexing import FloatArray, Indexing

_VALIDATION_SHARE = 0.15
_BATCH = 16
_STEPS = 1500
_STEPS_BETWEEN_CHECKS = 50
_RATE = 4e-3
_AVERAGING = 0.02  # weight of the newest weights in their running mean


def train(
    topology: Topology,
    history_bps: FloatArray | Sequence[FloatArray],
    seed: int,
    budget_s: float = 20.0,
    made_bps: Sequence[FloatArray] = (),
) -> LearnedForecaster:
    """Train on one history (intervals, pairs), or on several that do not follow each other.

    `made_bps` are further histories, made up by a generator: they are learnt from like the others,
    but only measured ones decide which weights are best and how wide the band is.

    A last part is kept for validation, and the best weights on it win; persistence is where
    training starts, so the result is hardly ever worse than it. The number of steps is fixed: the
    same history and seed give the same weights; `budget_s` only stops a machine that is too slow.

    Raises:
        ValueError: no history is long enough, or one has not the pairs of `topology`.
    """
    histories = [history_bps] if isinstance(history_bps, np.ndarray) else list(history_bps)
    pairs = len(topology.od_pairs)
    given = [*histories, *made_bps]
    if any(history.ndim != 2 or history.shape[1] != pairs for history in given):
        raise ValueError(f"a history of this network has {pairs} columns, one for each OD pair")
    fitting, validation = _windows(histories)
    if made_bps:
        fitting = torch.cat([fitting, *map(_cut, made_bps)])
    torch.manual_seed(seed)
    indexing = Indexing(topology)
    network = GrowthNetwork(
        torch.from_numpy(indexing.source),
        torch.from_numpy(indexing.target),
        torch.tensor(max(benign_share(indexing, history) for history in histories)),
    )
    judges = validation if len(validation) else fitting
    _fit(network, fitting, judges, np.random.default_rng(seed), budget_s)
    network.margins.copy_(_margins(network, judges))
    return LearnedForecaster(network)


def wape(forecast: FloatArray, actual: FloatArray) -> float:
    """Weighted absolute percentage error, as a share: sum of |error| over sum of actual."""
    return float(np.abs(forecast - actual).sum() / actual.sum())


def _windows(histories: Sequence[FloatArray]) -> tuple[Tensor, Tensor]:
    """Cut histories into (windows, LOOKBACK + HORIZONS, pairs): fitting and validation parts."""
    length = LOOKBACK + HORIZONS
    fitting, validation = [], []
    for history in histories:
        windows = _cut(history)
        starts = len(windows)
        if starts == 0:
            continue
        kept = round(starts * (1 - _VALIDATION_SHARE)) if len(histories) == 1 else starts
        fitting.append(windows[:kept])
        # Windows that overlap the fitting part would flatter the result.
        validation.append(windows[kept + length :])
    if not fitting:
        raise ValueError(f"a history must span at least {length} intervals")
    if len(histories) > 1:
        last = max(1, round(len(fitting) * _VALIDATION_SHARE))
        fitting, validation = fitting[:-last] or fitting, fitting[-last:]
    return torch.cat(fitting), torch.cat(validation)


def _cut(history: FloatArray) -> Tensor:
    """(windows, LOOKBACK + HORIZONS, pairs): all that a history holds."""
    length = LOOKBACK + HORIZONS
    if len(history) < length:
        return torch.empty((0, length, history.shape[1]))
    views = np.lib.stride_tricks.sliding_window_view(history, length, axis=0)
    return torch.from_numpy(np.ascontiguousarray(views.transpose(0, 2, 1), dtype=np.float32))


def _fit(
    network: GrowthNetwork,
    fitting: Tensor,
    judges: Tensor,
    random: np.random.Generator,
    budget_s: float,
) -> None:
    deadline_s = time.monotonic() + budget_s
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=1e-2)
    average = copy.deepcopy(network)
    best, best_loss = copy.deepcopy(network.state_dict()), _validate(network, judges)
    for step in range(1, _STEPS + 1):
        optimiser.param_groups[0]["lr"] = _RATE * (1 - step / (_STEPS + 1))
        batch = _with_short_pasts(fitting[random.integers(0, len(fitting), _BATCH)], random)
        optimiser.zero_grad()
        _relative_error(network, batch).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        for mean, now in zip(average.parameters(), network.parameters(), strict=True):
            mean.data.lerp_(now.data, _AVERAGING)
        if step % _STEPS_BETWEEN_CHECKS == 0:
            loss = _validate(average, judges)
            if loss < best_loss:
                best, best_loss = copy.deepcopy(average.state_dict()), loss
            if time.monotonic() > deadline_s:
                break
    network.load_state_dict(best)


def _with_short_pasts(windows: Tensor, random: np.random.Generator) -> Tensor:
    """Let half of the windows begin late, as they do when a run has only begun."""
    windows = windows.clone()
    for row in range(0, len(windows), 2):
        known_from = int(random.integers(0, LOOKBACK - FEWEST + 1))
        windows[row, :known_from] = windows[row, known_from].clone()
    return windows


def _margins(network: GrowthNetwork, windows: Tensor) -> Tensor:
    """(2, HORIZONS, pairs): what the errors below and above the forecasts hardly ever exceed."""
    mean = windows[:, :LOOKBACK].mean(dim=(1, 2), keepdim=True).clamp_min(1e-9)
    with torch.inference_mode():
        errors = log_errors(network(windows[:, :LOOKBACK]), windows[:, LOOKBACK:], mean)
    beyond = np.quantile(errors.numpy(), [MISSES / 2, 1 - MISSES / 2], axis=0)
    return torch.from_numpy(np.maximum(beyond * [[[-1.0]], [[1.0]]], 0.0))


def _validate(network: GrowthNetwork, windows: Tensor) -> float:
    with torch.inference_mode():
        return float(_relative_error(network, windows))


def _relative_error(network: GrowthNetwork, windows: Tensor) -> Tensor:
    """Mean WAPE over windows: the absolute error over what the network carried."""
    forecast = network(windows[:, :LOOKBACK])
    actual = windows[:, LOOKBACK:]
    error = (forecast - actual).abs().sum(dim=(1, 2))
    mean: Tensor = (error / actual.sum(dim=(1, 2)).clamp_min(1e-9)).mean()
    return mean

"""The noise model finds the memory and the covariance that made a series."""

from __future__ import annotations

import numpy as np
import torch

from generators.conditions import LoadModel, features, measured_load
from generators.history import History
from generators.noise import RELAXATION_STEPS, fit_noise, processes


def test_processes_have_unit_variance_and_their_relaxation() -> None:
    made = processes(torch.Generator().manual_seed(0), 400, 30, 2, stride=3).double().numpy()
    for time, process in zip(RELAXATION_STEPS, made, strict=True):
        assert abs(process.std() - 1) < 0.1
        wanted = np.exp(-3 / time) if time else 0.0
        correlation = (process[:, 1:] * process[:, :-1]).mean() / process.var()
        assert abs(correlation - wanted) < 0.05


def test_the_fit_gives_back_variance_memory_and_correlation() -> None:
    random = np.random.default_rng(0)
    series = np.zeros((6000, 3))
    for step in range(1, len(series)):
        series[step] = np.exp(-1 / 12) * series[step - 1] + random.standard_normal(3)
    series[:, 1] = 0.8 * series[:, 0] + 0.6 * series[:, 1]
    series -= series.mean(axis=0)
    noise = fit_noise(series)
    parts = np.einsum("tfp,tfq->tpq", noise.loadings, noise.loadings)
    parts += np.stack([np.diag(own**2) for own in noise.own])
    total = parts.sum(axis=0)
    np.testing.assert_allclose(np.diag(total), series.var(axis=0), rtol=1e-6)
    made = total / np.sqrt(np.outer(np.diag(total), np.diag(total)))
    assert abs(made[0, 1] - np.corrcoef(series.T)[0, 1]) < 0.1
    decays = [np.exp(-6 / time) if time else 0.0 for time in RELAXATION_STEPS]
    lag_6 = np.tensordot(decays, parts, 1)[0, 0] / total[0, 0]
    assert abs(lag_6 - np.exp(-0.5)) < 0.1


def test_the_load_is_drawn_as_it_was(history: History) -> None:
    model = LoadModel.fit(history)
    load = measured_load(history.rates_bps.sum(axis=1))
    random = torch.Generator().manual_seed(0)
    drawn = np.stack([model.draw(history.times_s, random) for _ in range(20)])
    assert abs(drawn.mean()) < 0.2
    assert abs(drawn.std() - load.std()) < 0.3
    assert np.corrcoef(drawn.mean(axis=0), load)[0, 1] > 0.5
    assert len(features(history.times_s, load)) == history.steps
    assert abs(model.around(1.5, 500, random).mean() - 1.5) < 0.3

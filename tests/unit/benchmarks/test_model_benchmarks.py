"""The benchmarks of the models without a model: gaps, fills, and targets."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gan_quality import targets_of
from benchmarks.vae_imputation import OTHERS, gaps, linear, nmae_percent, persistence
from generators.schedule import FloatArray

HOSTS, STEPS = 4, 60
RISING: FloatArray = np.outer(np.arange(1.0, STEPS + 1), np.ones(HOSTS * (HOSTS - 1)))


def test_gaps_hide_what_their_names_say() -> None:
    random = np.random.default_rng(1)
    span = RISING[:36]
    for name, hide in gaps(HOSTS).items():
        seen = hide(random, span)
        hidden = np.isnan(seen)
        assert np.array_equal(seen[~hidden], span[~hidden])
        if name.startswith("one host silent"):
            steps = int(name.split()[-2])
            assert hidden.sum() == steps * (HOSTS - 1)
            assert hidden.any(axis=1).sum() == steps
        else:
            share = float(name.split()[1].rstrip("%")) / 100
            assert hidden.mean() == pytest.approx(share, abs=0.1)


def test_fills_know_what_they_may() -> None:
    seen = RISING[:10].copy()
    seen[4:7] = np.nan
    assert np.allclose(linear(seen), RISING[:10])
    assert np.allclose(persistence(seen)[4:7], RISING[3])


def test_the_error_is_that_of_the_hidden_cells_alone() -> None:
    hide = gaps(HOSTS)["one host silent, 1 steps"]
    fills = {"truth": linear, "half": lambda seen: 0.5 * linear(seen), **OTHERS}
    errors = nmae_percent(RISING, hide, fills, np.random.default_rng(1))
    assert errors["truth"] == pytest.approx(0.0)
    assert errors["half"] == pytest.approx(50.0)
    assert 0 < errors["persistence"] < errors["smoothing"]


def test_the_gan_may_be_as_far_off_as_the_bootstrap() -> None:
    real, bootstrap = {"distance": 0.01, "deviation": 0.3}, {"distance": 0.2, "deviation": 0.25}
    inside = {"distance": 0.0, "deviation": 0.34}
    outside = {"distance": 0.21, "deviation": 0.24}
    assert [target.met for target in targets_of(inside, bootstrap, real)] == [True, True]
    assert [target.met for target in targets_of(outside, bootstrap, real)] == [False, False]

"""The distances between made and real traffic, on series whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.generators import memorisation
from generators.fidelity import autocorrelation, hurst, nearest, spectrum
from generators.schedule import FloatArray


def fractional_noise(exponent: float, steps: int, seed: int) -> FloatArray:
    """Fractional Gaussian noise with this Hurst parameter, exactly (Davies and Harte, 1987)."""
    lag = np.arange(steps + 1.0)
    covariance = (
        np.abs(lag + 1) ** (2 * exponent)
        - 2 * lag ** (2 * exponent)
        + np.abs(lag - 1) ** (2 * exponent)
    ) / 2
    power = np.fft.fft(np.concatenate([covariance, covariance[-2:0:-1]])).real.clip(min=0)
    random = np.random.default_rng(seed)
    shocks = random.standard_normal(len(power)) + 1j * random.standard_normal(len(power))
    return np.asarray(np.fft.fft(np.sqrt(power / len(power)) * shocks).real[:steps])


@pytest.mark.parametrize("exponent", [0.5, 0.7, 0.85])
def test_the_hurst_parameter_of_fractional_noise(exponent: float) -> None:
    found = [hurst(fractional_noise(exponent, 16_384, seed)) for seed in range(8)]
    # The aggregated variance is known to be low where memory is long.
    assert np.mean(found) == pytest.approx(exponent, abs=0.05)


def test_the_hurst_parameter_of_extremes() -> None:
    assert hurst(np.ones(500)) == 0.5
    assert hurst(np.arange(5000.0)) > 0.95
    assert hurst(np.diff(np.random.default_rng(0).standard_normal(20_000))) < 0.1


def test_the_spectrum_of_known_components() -> None:
    turn = 2 * np.pi * np.arange(360) / 360
    sine, cosine = np.sin(turn), np.cos(turn)
    one = np.outer(sine, np.arange(1.0, 31))
    np.testing.assert_allclose(spectrum(one), np.ones(20))
    two = np.stack([sine, cosine], axis=1)
    np.testing.assert_allclose(spectrum(two)[:3], [0.5, 1, 1])
    unequal = np.stack([3 * sine, cosine], axis=1)
    np.testing.assert_allclose(spectrum(unequal)[:2], [0.9, 1])
    assert spectrum(np.ones((50, 4))).shape == (20,)


def test_autocorrelation_of_what_is_known() -> None:
    series = np.stack([np.tile([1.0, -1.0], 50), np.ones(100)], axis=1)
    np.testing.assert_allclose(autocorrelation(series, 2), [[-0.99, 0], [0.98, 0]], atol=1e-12)


def rates(seed: int, steps: int = 600, pairs: int = 6) -> FloatArray:
    """Independent of each other, with the same distribution."""
    return np.random.default_rng(seed).lognormal(12, 1, (steps, pairs))


def test_a_few_copied_windows_are_seen() -> None:
    known, unseen, made = rates(0), rates(1), rates(2)
    assert memorisation(made, known, unseen) < 0.1
    made[100:130] = known[400:430]  # 19 of 589 windows
    assert memorisation(made, known, unseen) > 0.99
    assert nearest(made, known) > 0.9 * nearest(unseen, known)  # the median sees nothing


def test_a_copy_with_a_little_noise_is_seen() -> None:
    known, unseen, made = rates(0), rates(1), rates(2)
    made[100:130] = known[401:431] * np.random.default_rng(3).lognormal(0, 0.05, (30, 6))
    assert memorisation(made, known, unseen) > 0.8


def test_what_repeats_itself_is_near_to_itself() -> None:
    varied = rates(0)
    monotonous = np.tile(varied[:60], (10, 1))
    assert nearest(monotonous, monotonous, itself=True) < 1e-5
    assert nearest(varied, varied, itself=True) > 0.5
    assert nearest(varied, varied) < 1e-5


def test_distance_is_the_root_mean_square_of_the_logarithms() -> None:
    near = np.full((20, 3), 1e6 - 1e3)
    far = np.full((20, 3), np.e * 1e6 - 1e3)
    assert nearest(near, far) == pytest.approx(1.0)

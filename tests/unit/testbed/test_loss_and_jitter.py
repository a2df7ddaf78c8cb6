"""The statistics of loss and jitter. All draws are seeded, so that no test fails by chance."""

from __future__ import annotations

import random
import statistics
from itertools import groupby, pairwise

import pytest

from testbed.links.jitter import jitter_of
from testbed.links.loss import loss_of
from topologies.model import JitterDistribution, LinkShape

FRAMES = 100_000


def losses(percent: float, burst: float | None, seed: int = 1) -> list[bool]:
    shape = LinkShape(1e9, 0.0, loss_percent=percent, loss_burst_packets=burst)
    lost = loss_of(shape, random.Random(seed))
    assert lost is not None
    return [lost() for _ in range(FRAMES)]


def jitters(distribution: JitterDistribution, correlation: float) -> list[int]:
    shape = LinkShape(
        1e9,
        50.0,
        jitter_ms=2.0,
        jitter_distribution=distribution,
        jitter_correlation_percent=correlation,
    )
    next_ns = jitter_of(shape, random.Random(2))
    assert next_ns is not None
    return [next_ns() for _ in range(FRAMES)]


def test_a_plain_link_has_neither() -> None:
    assert loss_of(LinkShape(1e9, 1.0), random.Random(0)) is None
    assert jitter_of(LinkShape(1e9, 1.0), random.Random(0)) is None


@pytest.mark.parametrize("percent", [0.1, 1.0, 10.0])
def test_independent_loss_is_the_binomial_it_says(percent: float) -> None:
    lost, share = sum(losses(percent, None)), percent / 100
    assert abs(lost - FRAMES * share) < 3 * (FRAMES * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("burst", [None, 1.0, 5.0])
def test_everything_may_be_lost(burst: float | None) -> None:
    assert all(losses(100.0, burst))


@pytest.mark.parametrize(("percent", "burst"), [(1.0, 1.0), (1.0, 5.0), (10.0, 3.0), (50.0, 20.0)])
def test_bursts_have_their_mean_length_and_share(percent: float, burst: float) -> None:
    lost = losses(percent, burst)
    lengths = [len(list(run)) for is_lost, run in groupby(lost) if is_lost]
    assert statistics.mean(lengths) == pytest.approx(burst, rel=0.1)
    assert sum(lost) / FRAMES == pytest.approx(percent / 100, rel=0.15)


def test_bursts_are_longer_where_more_is_to_be_lost_than_they_leave() -> None:
    lost = losses(95.0, 2.0)
    assert sum(lost) / FRAMES == pytest.approx(0.95, rel=0.01)


@pytest.mark.parametrize("correlation", [0.0, 25.0, 90.0])
@pytest.mark.parametrize("distribution", ["normal", "uniform", "pareto"])
def test_jitter_has_its_spread_whatever_the_correlation(
    distribution: JitterDistribution, correlation: float
) -> None:
    drawn = jitters(distribution, correlation)
    deviation_ns = 2e6 / 3**0.5 if distribution == "uniform" else 2e6
    # The fourth moment of this Pareto distribution is infinite: its sample deviation varies much.
    tolerance = 0.25 if distribution == "pareto" else 0.05
    assert abs(statistics.mean(drawn)) < 0.1e6
    assert statistics.pstdev(drawn) == pytest.approx(deviation_ns, rel=tolerance)


def test_uniform_jitter_stays_in_its_range() -> None:
    drawn = jitters("uniform", 0.0)
    assert -2_000_000 <= min(drawn) < -1_990_000
    assert 1_990_000 < max(drawn) <= 2_000_000


def test_pareto_jitter_has_a_sharp_lower_edge_and_a_long_tail() -> None:
    drawn = jitters("pareto", 0.0)
    assert min(drawn) > -1.2e6
    assert max(drawn) > 20e6


@pytest.mark.parametrize("correlation", [0.0, 25.0, 90.0])
@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_neighbours_resemble_each_other_as_asked(
    distribution: JitterDistribution, correlation: float
) -> None:
    before, after = zip(*pairwise(jitters(distribution, correlation)), strict=True)
    assert statistics.correlation(before, after) == pytest.approx(correlation / 100, abs=0.03)

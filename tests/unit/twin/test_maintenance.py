"""Links that get worse, in a network of fluids: forecast, drained, and used again when mended."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from fluid_network import FluidNetwork, drive
from small_networks import demand, network, square, wheel

from controller.messages import PortStats
from topologies.model import Topology
from twin.forecaster import PersistenceForecaster
from twin.imputation import Persistence
from twin.indexing import FloatArray
from twin.policies import resolve
from twin.records import Decision, LinkFailing, LinkMended, TwinRecord
from twin.twin import Twin

SQUARE = square()
WORN = ("s1", "s2")


def lab(
    rates: FloatArray | Callable[[float], FloatArray],
    topology: Topology = SQUARE,
    policy: str = "twin",
) -> tuple[Twin, FluidNetwork]:
    demanded = rates if callable(rates) else lambda _: rates
    fluid = FluidNetwork(topology, lambda t_s: demanded(t_s - 1000.0))
    fluid.snapshot()
    pairs = len(topology.od_pairs)
    twin = Twin(topology, resolve(policy), PersistenceForecaster(), Persistence(pairs), 4.0)
    return twin, fluid


def wear(
    twin: Twin,
    fluid: FluidNetwork,
    seconds: int,
    *,
    link: tuple[str, str] = WORN,
    loss: float = 0.0,
    delay_ms: float = 0.0,
) -> list[TwinRecord]:
    """Let both directions get worse by so much each second."""
    records: list[TwinRecord] = []
    for _ in range(seconds):
        for one in (link, link[::-1]):
            fluid.loss[fluid.ix.link[one]] += loss
            fluid.delay_ms[fluid.ix.link[one]] += delay_ms
        records += drive(twin, fluid, 1.0)
    return records


def users(fluid: FluidNetwork, link: tuple[str, str] = WORN) -> int:
    both = {link, link[::-1]}
    return sum(not both.isdisjoint(pairwise(path)) for path in fluid.routing.values())


@pytest.mark.parametrize("growth", [{"loss": 0.001}, {"delay_ms": 1.0}])
def test_a_link_that_gets_worse_is_said_to_fail_before_it_does(growth: dict[str, float]) -> None:
    twin, fluid = lab(demand(SQUARE, h1_h3=3, h2_h3=2, h3_h1=3))
    drive(twin, fluid, 6)
    records = wear(twin, fluid, 30, **growth)
    first = next(r for r in records if isinstance(r, LinkFailing))
    assert {first.sender, first.receiver} == set(WORN)
    assert first.sign == next(iter(growth)).removesuffix("_ms")
    assert first.per_s == pytest.approx(next(iter(growth.values())), rel=0.3)
    left = (first.failing - first.level) / first.per_s
    assert 0 < first.lead_s == pytest.approx(left, rel=0.01)
    assert first.confidence > 0.99
    drained = "drain" in {r.reason for r in records if isinstance(r, Decision)}
    assert drained == (first.sign == "loss"), "a delay is but a warning"
    assert (users(fluid) == 0) == drained


def test_a_link_that_is_mended_is_used_again_only_after_a_while() -> None:
    twin, fluid = lab(demand(SQUARE, h1_h3=3))
    drive(twin, fluid, 6)
    assert not [r for r in wear(twin, fluid, 50, delay_ms=1.0) if isinstance(r, LinkMended)]
    fluid.delay_ms = fluid.ix.delay_ms.copy()
    assert not [r for r in drive(twin, fluid, 20) if isinstance(r, LinkMended)]
    mended = [r for r in drive(twin, fluid, 25) if isinstance(r, LinkMended)]
    assert {(r.sender, r.receiver) for r in mended} <= {WORN, WORN[::-1]}
    assert mended


def test_a_link_that_somebody_needs_is_not_drained() -> None:
    line = network([(1, 2, 2.0), (2, 3, 2.0)], 3)
    twin, fluid = lab(demand(line, h1_h3=3, h3_h1=2), line)
    drive(twin, fluid, 6)
    records = wear(twin, fluid, 25, loss=0.002)
    assert [r for r in records if isinstance(r, LinkFailing)]
    assert not [r for r in records if isinstance(r, Decision)]


def test_a_link_is_not_drained_where_the_others_would_overflow() -> None:
    rates = demand(SQUARE, h1_h2=7, h1_h4=7, h1_h5=7)
    twin, fluid = lab(rates)
    drive(twin, fluid, 8)
    records = wear(twin, fluid, 25, loss=0.002)
    assert [r for r in records if isinstance(r, LinkFailing)]
    assert not [r for r in records if isinstance(r, Decision) and r.reason == "drain"]


def test_a_drained_link_is_given_back_when_the_others_overflow_later() -> None:
    worn = ("s1", "s5")
    twin, fluid = lab(demand(SQUARE, h1_h3=7, h1_h5=6))
    drive(twin, fluid, 8)
    wear(twin, fluid, 20, link=worn, loss=0.001)
    assert users(fluid, worn) == 0
    fluid.fail("s1", "s2")
    drive(twin, fluid, 6)
    assert users(fluid, worn) > 0
    assert (fluid.offered / fluid.rate_bps).max() < 0.95


def test_the_plain_controller_is_warned_and_drains_nothing() -> None:
    twin, fluid = lab(demand(SQUARE, h1_h3=3), policy="shortest-path")
    drive(twin, fluid, 6)
    assert [r for r in wear(twin, fluid, 25, loss=0.002) if isinstance(r, LinkFailing)]
    assert not fluid.requests


@pytest.mark.parametrize("seed", range(3))
def test_healthy_links_raise_no_alarm_whatever_the_traffic_does(seed: int) -> None:
    topology = wheel()
    random = np.random.default_rng(seed)
    steps = (
        random.uniform(0.1e6, 1.2e6, (20, len(topology.od_pairs)))
        * np.linspace(0.5, 3, 20)[:, None]
    )
    twin, fluid = lab(lambda t: steps[min(int(t / 4), 19)], topology)
    records = drive(twin, fluid, 40)
    fluid.fail("s1", "s2")
    records += drive(twin, fluid, 20)
    assert not [r for r in records if isinstance(r, LinkFailing)]


class LateReadings(FluidNetwork):
    """Switches are read up to 0.2 s later than they say."""

    random = np.random.default_rng(1)

    def _report_ports(self) -> None:
        super()._report_ports()
        self.outbox = [
            msgspec.structs.replace(message, t_s=message.t_s - self.random.uniform(0.0, 0.2))
            if isinstance(message, PortStats) and message.t_s == self.now_s
            else message
            for message in self.outbox
        ]


def test_late_readings_are_no_losses() -> None:
    topology = wheel()
    twin, _ = lab(np.zeros(1), topology)
    fluid = LateReadings(topology, lambda _: np.full(len(topology.od_pairs), 0.3e6))
    fluid.snapshot()
    assert not [r for r in drive(twin, fluid, 40) if isinstance(r, LinkFailing)]


def test_a_link_of_less_capacity_is_not_taken_for_one_that_fails() -> None:
    twin, fluid = lab(demand(SQUARE, h1_h3=7), policy="shortest-path")
    fluid.rate_bps[fluid.ix.link[WORN]] *= 0.5
    assert not [r for r in drive(twin, fluid, 30) if isinstance(r, LinkFailing)]

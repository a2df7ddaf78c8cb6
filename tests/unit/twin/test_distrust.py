"""Counters that are stuck, and silent switches, under the VAE that a run has."""

from __future__ import annotations

import numpy as np
import pytest
from fluid_network import FluidNetwork, drive
from small_networks import wheel

from generators import vae
from generators.builtin_history import builtin_history
from twin.forecaster import PersistenceForecaster
from twin.imputation import Imputer, Persistence
from twin.indexing import FloatArray
from twin.policies import resolve
from twin.records import Distrusted, Imputation
from twin.twin import Twin

WHEEL = wheel()
HISTORY = builtin_history(WHEEL, seed=1, days=1)
RATES_BPS = HISTORY.rates_bps * 20e6 / HISTORY.rates_bps.sum(axis=1).mean()
STEP_S = 4.0


@pytest.fixture(scope="module")
def trained() -> vae.TelemetryVae:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vae, "HYPER_PARAMETERS", {**vae.HYPER_PARAMETERS, "steps": 80})
        return vae.train_vae(HISTORY, seed=3, budget_s=300)


class StuckNetwork(FluidNetwork):
    """One pair's flow counter stops counting at a time."""

    stuck: int | None = None

    def advance(self) -> None:
        before = self.od_refreshed
        super().advance()
        if self.stuck is not None and self.od_refreshed is not before:
            self.od_refreshed[self.stuck] = before[self.stuck]


def rates(t_s: float) -> FloatArray:
    return np.asarray(RATES_BPS[150 + int((t_s - 1000.0) // STEP_S)])


def lab(imputer: Imputer) -> tuple[Twin, StuckNetwork]:
    network = StuckNetwork(WHEEL, rates)
    network.snapshot()
    return Twin(WHEEL, resolve("shortest-path"), PersistenceForecaster(), imputer, STEP_S), network


def test_a_stuck_counter_is_distrusted_and_its_pair_filled(trained: vae.TelemetryVae) -> None:
    twin, network = lab(trained)
    before = drive(twin, network, 30)
    assert not [r for r in before if isinstance(r, Distrusted)]
    network.stuck = int(np.argmax(rates(1030.0)))
    found = [r for r in drive(twin, network, 12) if isinstance(r, Distrusted)]
    assert found[-1].pairs == (WHEEL.od_pairs[network.stuck],)


def test_loads_of_links_tell_what_a_silent_switch_sends(trained: vae.TelemetryVae) -> None:
    off = {}
    for name, imputer in (("vae", trained), ("last", Persistence(len(WHEEL.od_pairs)))):
        twin, network = lab(imputer)
        drive(twin, network, 20)
        network.silent = {"s3"}
        drive(twin, network, 12)  # counters are kept for 18 s
        network.silent = set()
        gap = next(r for r in drive(twin, network, 10) if isinstance(r, Imputation))
        off[name] = np.abs(np.array(gap.vae_bps) - gap.actual_bps).sum() / sum(gap.actual_bps)
    assert off["vae"] < 0.15
    assert off["vae"] < 0.8 * off["last"]


def test_nobody_is_distrusted_once_nobody_can_be_judged(trained: vae.TelemetryVae) -> None:
    """As while a pair is dropped, which lasts."""
    twin, network = lab(trained)
    drive(twin, network, 40)
    network.stuck = 5
    told = [r for r in drive(twin, network, 24) if isinstance(r, Distrusted)]
    assert told[-1].pairs == (WHEEL.od_pairs[5],)
    network.stuck = None
    network.dropped = {WHEEL.od_pairs[9]}
    network.snapshot()
    told = [r for r in drive(twin, network, 8) if isinstance(r, Distrusted)]
    assert [record.pairs for record in told] == [()]

"""The policy that learns in the twin: its environment, its network, and what it does in a run."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from fluid_network import FluidNetwork, drive
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st
from small_networks import demand, square

from topologies.model import Topology
from topologies.random_networks import random_network
from twin.candidates import CandidatePaths
from twin.envs import ENVIRONMENT, RerouteEnv
from twin.forecaster import PersistenceForecaster
from twin.imputation import Persistence
from twin.indexing import FloatArray, Indexing
from twin.learned_policy import WEIGHTS
from twin.move_network import MoveNetwork, WeightsError
from twin.move_offer import CHOICES, MOST_MOVES, RELIEFS, offer
from twin.path_choice import PathChoice
from twin.policies import UnknownPolicyError, resolve
from twin.records import Decision
from twin.reinforcement import train_policy
from twin.twin import Twin


def state(topology: Topology, od_bps: FloatArray) -> PathChoice:
    from topologies.paths import shortest_paths

    indexing = Indexing(topology)
    candidates = CandidatePaths(indexing).available(shortest_paths(topology))
    return PathChoice.initial(indexing.rate_bps[: indexing.cores], candidates, od_bps)


def small_world(random: np.random.Generator) -> Topology:
    return random_network(5, 7, int(random.integers(100)))


def test_gymnasium_finds_nothing_wrong_with_the_environment() -> None:
    made = gym.make(ENVIRONMENT)
    assert isinstance(made.unwrapped, RerouteEnv)
    check_env(RerouteEnv(small_world), skip_render_check=True)


def test_an_episode_is_over_after_its_periods_and_the_same_seed_gives_the_same() -> None:
    def rewards() -> list[float]:
        env = RerouteEnv(small_world)
        env.reset(seed=3)
        got = []
        over = False
        while not over:
            _, reward, _, over, _ = env.step(0)
            got.append(reward)
        return got

    assert rewards() == rewards()
    assert len(rewards()) == 32
    # Whoever does nothing does as the plain controller does, but for the time after a repair.
    assert max(map(abs, rewards())) < 0.5


@settings(max_examples=25)
@given(st.integers(0, 1000), st.integers(0, MOST_MOVES))
def test_what_is_on_offer_leads_where_it_says(seed: int, moved: int) -> None:
    topology = random_network(6, 8, seed)
    random = np.random.default_rng(seed)
    now = state(topology, random.exponential(2e6, len(topology.od_pairs)))
    found = offer(now, moved)
    assert found.open[0]
    assert moved < MOST_MOVES or not found.open[1:].any()
    for choice in np.flatnonzero(found.options >= 0):
        then = now.choosing(int(found.options[choice]))
        assert found.features[choice, 4] == pytest.approx(min(then.maximum, 3.0), rel=1e-5)
        assert found.features[choice, 1] == (1 <= choice <= RELIEFS)


def test_the_order_of_choices_does_not_matter_to_the_network() -> None:
    torch.manual_seed(0)
    network = MoveNetwork()
    torch.nn.init.normal_(network.score.weight)
    topology = random_network(6, 9, 1)
    now = offer(state(topology, np.full(len(topology.od_pairs), 2e6)), 0)
    order = torch.randperm(CHOICES)
    features, open_ = torch.from_numpy(now.features)[None], torch.from_numpy(now.open)[None]
    logits, value = network(features, open_)
    shuffled, same = network(features[:, order], open_[:, order])
    assert torch.allclose(logits[:, order], shuffled, atol=1e-5)
    assert torch.allclose(value, same, atol=1e-5)


def test_training_is_repeatable() -> None:
    def weights() -> torch.Tensor:
        network, curve = train_policy(0, 1, lambda *_: None, small_world)
        assert len(curve) == 1
        return network.each[0].weight.detach()

    assert torch.equal(weights(), weights())


def driven(seconds: float, **rates_mbps: float) -> tuple[FluidNetwork, list[Decision]]:
    topology = square()
    network = FluidNetwork(topology, lambda _: demand(topology, **rates_mbps))
    pairs = len(topology.od_pairs)
    twin = Twin(
        topology, resolve("twin-rl"), PersistenceForecaster(), Persistence(pairs), interval_s=5.0
    )
    network.snapshot()
    records = drive(twin, network, seconds)
    return network, [one for one in records if isinstance(one, Decision)]


def test_the_shipped_weights_relieve_an_overloaded_link_and_then_rest() -> None:
    network, decisions = driven(8.0, h1_h3=7, h2_h3=6)
    assert decisions
    assert decisions[-1].t_s < 105.0 or len(decisions) <= 3
    assert network.max_utilisation < 0.8


def test_the_shipped_weights_leave_a_network_at_ease_alone() -> None:
    assert driven(4.0, h1_h3=2)[1] == []


def test_weights_that_are_none_are_refused_with_the_file_s_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"nothing")
    with pytest.raises(WeightsError, match=r"bad\.pt holds no weights"):
        MoveNetwork.load(bad)
    monkeypatch.setenv(WEIGHTS, str(bad))
    assert driven(1.0, h1_h3=9, h2_h3=9)[1] == []
    monkeypatch.setenv(WEIGHTS, str(tmp_path / "gone.pt"))
    with pytest.raises(UnknownPolicyError, match=r"gone\.pt: there is no such file"):
        resolve("twin-rl")

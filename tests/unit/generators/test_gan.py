from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from generators.attacks import MAX_SOURCES, random_floods
from generators.builtin_history import builtin_history
from generators.gan import Kind, TrafficGan, train_gan
from generators.gan_networks import WINDOW
from generators.history import History
from generators.model_files import ModelFileError
from generators.normal_scores import NormalScores
from generators.quality import bootstrap_windows, measure_quality, split_windows
from topologies.catalogue import load_topology

Quick = Callable[[pytest.MonkeyPatch], None]


def test_normal_scores_come_back_as_the_rates() -> None:
    random = np.random.default_rng(0)
    rates_bps = random.lognormal(10, 1, (500, 4))
    rates_bps[random.random(500) < 0.4, 1] = 0.0
    rates_bps[:, 2] = 7e5
    rates_bps[:, 3] = 0.0
    transform, scores = NormalScores.fit(rates_bps)
    back = transform.rates_bps(scores).numpy()
    np.testing.assert_allclose(back[:, 0], rates_bps[:, 0], rtol=0.2)
    assert (back[rates_bps[:, 1] == 0, 1] < 1e-3 * rates_bps[:, 1].mean()).all()
    np.testing.assert_allclose(back[:, 2], 7e5, rtol=1e-4)
    assert back[:, 3].max() < 1.0
    assert abs(float(scores[:, 0].std()) - 1) < 0.05


def test_scores_never_leave_the_range_of_the_history() -> None:
    rates_bps = np.random.default_rng(0).lognormal(10, 1, (100, 2))
    transform, _ = NormalScores.fit(rates_bps)
    extreme = transform.rates_bps(torch.tensor([[50.0, -50.0]])).numpy()[0]
    assert 0.9 * rates_bps[:, 0].max() < extreme[0] <= rates_bps[:, 0].max()
    assert rates_bps[:, 1].min() <= extreme[1] < 1.2 * rates_bps[:, 1].min()


def test_floods_of_the_attack_model() -> None:
    floods = random_floods(np.random.default_rng(0), 300, WINDOW)
    peaks = floods.sum(axis=2).max(axis=1)
    assert ((peaks >= 0.199) & (peaks <= 1.001)).all()
    volumes = floods.sum(axis=1)
    assert (np.diff(volumes, axis=1) <= 1e-12).all()
    assert set((volumes > 0).sum(axis=1)) == set(range(1, MAX_SOURCES + 1))


@pytest.mark.parametrize("kind", ["normal", "peak", "attack"])
def test_windows_have_the_shape_and_range_of_traffic(
    trained_gan: TrafficGan, history: History, kind: Kind
) -> None:
    windows = trained_gan.sample(kind, 20, seed=1)
    assert windows.matrices_bps.shape == (20, WINDOW, 12, 12)
    assert windows.floods.shape == (20, WINDOW, MAX_SOURCES)
    assert (windows.matrices_bps >= 0).all()
    assert (windows.matrices_bps <= 1.01 * history.matrices_bps.max(axis=0)).all()
    assert (windows.floods > 0).any() == (kind == "attack")
    assert (np.diff(windows.floods.sum(axis=1), axis=1) <= 0).all()


def test_peak_traffic_is_more_than_normal_traffic(trained_gan: TrafficGan) -> None:
    normal, peak = (
        trained_gan.sample(kind, 100, seed=1).matrices_bps.sum(axis=(2, 3)).mean()
        for kind in ("normal", "peak")
    )
    assert peak > 1.15 * normal


def test_made_traffic_resembles_the_history_and_does_not_repeat_it(
    trained_gan: TrafficGan, history: History
) -> None:
    made = trained_gan.sample("normal", 200, seed=1).matrices_bps[..., ~np.eye(12, dtype=bool)]
    quality = measure_quality(made, history.rates_bps, history.rates_bps)
    assert quality.marginal_distance < 0.25
    assert quality.correlation_distance < 0.35
    assert quality.nearest_training > 0.1


def test_quality_tells_real_copied_and_senseless_apart(history: History) -> None:
    training, held_out = (half.rates_bps for half in history.split(0.75))
    random = np.random.default_rng(0)
    noisy = bootstrap_windows(training, WINDOW, 50, random)
    copied = measure_quality(split_windows(training, WINDOW)[::30], held_out, training)
    bootstrap = measure_quality(noisy, held_out, training)
    shuffled = measure_quality(random.permuted(noisy, axis=2), held_out, training)
    assert copied.nearest_training < 1e-3 < bootstrap.nearest_training
    assert shuffled.marginal_distance > 2 * bootstrap.marginal_distance
    assert copied.autocorrelation > bootstrap.autocorrelation


def test_same_seed_same_windows(trained_gan: TrafficGan) -> None:
    a, b, c = (trained_gan.sample("attack", 5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.matrices_bps, b.matrices_bps)
    np.testing.assert_array_equal(a.floods, b.floods)
    assert not np.array_equal(a.matrices_bps, c.matrices_bps)


def test_same_seed_same_weights_whatever_happened_before(
    history: History, monkeypatch: pytest.MonkeyPatch, quick: Quick
) -> None:
    quick(monkeypatch)
    torch.manual_seed(1)
    a = train_gan(history, seed=5, budget_s=60)
    state = torch.get_rng_state()
    torch.rand(3)
    b = train_gan(history, seed=5, budget_s=60)
    torch.set_rng_state(state)
    wanted = a.sample("peak", 2, seed=0).matrices_bps
    np.testing.assert_array_equal(b.sample("peak", 2, seed=0).matrices_bps, wanted)


def test_training_leaves_torch_as_it_was(
    history: History, monkeypatch: pytest.MonkeyPatch, quick: Quick
) -> None:
    quick(monkeypatch)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    train_gan(history, seed=5, budget_s=60)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_saved_weights_make_the_same_windows(trained_gan: TrafficGan, tmp_path: Path) -> None:
    trained_gan.save(tmp_path / "gan.pt")
    read = TrafficGan.load(tmp_path / "gan.pt")
    assert read.hosts == trained_gan.hosts
    wanted = trained_gan.sample("attack", 3, seed=9)
    np.testing.assert_array_equal(read.sample("attack", 3, seed=9).floods, wanted.floods)
    assert [entry.name for entry in tmp_path.iterdir()] == ["gan.pt"]


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04" + bytes(50)])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "gan.pt").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"gan\.pt"):
        TrafficGan.load(tmp_path / "gan.pt")


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"kind": "traffic-gan-1", "hosts": Path("/")}, tmp_path / "gan.pt")
    with pytest.raises(ModelFileError):
        TrafficGan.load(tmp_path / "gan.pt")
    torch.save({"kind": "another"}, tmp_path / "gan.pt")
    with pytest.raises(ModelFileError, match="not a model of the kind"):
        TrafficGan.load(tmp_path / "gan.pt")
    torch.save({"kind": "traffic-gan-1"}, tmp_path / "gan.pt")
    with pytest.raises(ModelFileError, match="incomplete"):
        TrafficGan.load(tmp_path / "gan.pt")


def test_progress_and_budget(history: History, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[float] = []
    with caplog.at_level(logging.WARNING):
        train_gan(history, 0, budget_s=0.0, progress=lambda done, _: heard.append(done))
    assert "stopped after 0 of" in caplog.text
    assert heard == []


@pytest.mark.parametrize("network", ["triangle", "leaf-spine"])
def test_small_networks_train(network: str, monkeypatch: pytest.MonkeyPatch, quick: Quick) -> None:
    quick(monkeypatch)
    topology = load_topology(network)
    heard: list[float] = []
    gan = train_gan(builtin_history(topology, 0, days=1), 0, 60, lambda done, _: heard.append(done))
    hosts = len(topology.hosts)
    assert gan.sample("normal", 2, 0).matrices_bps.shape == (2, WINDOW, hosts, hosts)
    assert heard[0] == 0.0
    assert heard[-1] == 1.0


def test_traffic_that_never_changes_can_be_learnt(
    monkeypatch: pytest.MonkeyPatch, quick: Quick
) -> None:
    quick(monkeypatch)
    constant = History(("a", "b", "c"), 300.0, np.full((60, 3, 3), 1e6) * (1 - np.eye(3)))
    made = train_gan(constant, 0, 60).sample("normal", 2, 0).matrices_bps
    np.testing.assert_allclose(made[..., 0, 1], 1e6, rtol=1e-3)

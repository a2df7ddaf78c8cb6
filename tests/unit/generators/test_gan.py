from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from generators import gan_private, gan_training
from generators.attacks import MAX_SOURCES, random_floods
from generators.builtin_history import builtin_history
from generators.fidelity import fidelity, log_rates
from generators.gan import TrafficGan
from generators.gan_incidents import LENGTH
from generators.gan_material import untrained_gan
from generators.gan_training import Resumption, train_gan
from generators.history import History
from generators.incidents import labelled_incidents
from generators.kinds import KINDS, Kind
from generators.model_files import ModelFileError, load_model, save_model
from generators.normal_scores import NormalScores
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
    floods = random_floods(np.random.default_rng(0), 300, LENGTH)
    peaks = floods.sum(axis=2).max(axis=1)
    assert ((peaks >= 0.199) & (peaks <= 1.001)).all()
    volumes = floods.sum(axis=1)
    assert (np.diff(volumes, axis=1) <= 1e-12).all()
    assert set((volumes > 0).sum(axis=1)) == set(range(1, MAX_SOURCES + 1))


@pytest.mark.parametrize("kind", KINDS)
def test_series_have_the_shape_and_range_of_traffic(
    trained_gan: TrafficGan, history: History, kind: Kind
) -> None:
    made = trained_gan.sample(kind, 6, seed=1, steps=20)
    assert made.matrices_bps.shape == (6, 20, 12, 12)
    assert made.floods.shape == (6, LENGTH, MAX_SOURCES)
    assert (made.matrices_bps >= 0).all()
    if kind not in ("flash-crowd", "failure-aftermath"):
        assert (made.matrices_bps <= 1.01 * history.matrices_bps.max(axis=0)).all()
    assert (made.floods > 0).any() == kind.startswith("attack")
    assert (np.diff(made.floods.sum(axis=1), axis=1) <= 0).all()


def test_peak_traffic_is_more_than_normal_traffic(trained_gan: TrafficGan) -> None:
    normal, peak = (
        trained_gan.sample(kind, 60, seed=1).matrices_bps.sum(axis=(2, 3)).mean()
        for kind in ("normal", "peak")
    )
    assert peak > 1.15 * normal


def test_load_and_time_of_day_decide_the_total(trained_gan: TrafficGan, history: History) -> None:
    def total(**conditions: float) -> float:
        made = trained_gan.sample("normal", 20, 1, **conditions)  # type: ignore[arg-type]
        return float(made.matrices_bps.sum(axis=(2, 3)).mean())

    assert total(load=0.95) > 1.2 * total(load=0.05)
    of_day = history.rates_bps.sum(axis=1).reshape(-1, 288).mean(axis=0)
    busy_s, calm_s = 300.0 * of_day.argmax(), 300.0 * of_day.argmin()
    assert total(start_s=busy_s) > 1.1 * total(start_s=calm_s)


def test_a_flash_crowd_stands_out_at_one_host(trained_gan: TrafficGan) -> None:
    calm = trained_gan.sample("normal", 12, 5, 36, 0.0, 0.5).matrices_bps
    crowded = trained_gan.sample("flash-crowd", 12, 5, 36, 0.0, 0.5).matrices_bps
    # The same background, but for one host each.
    differs = (crowded != calm).any(axis=(1, 2))
    assert (differs.sum(axis=1) == 1).all()
    gains = (crowded.sum(axis=2) / calm.sum(axis=2)).max(axis=(1, 2))
    assert np.median(gains) > 1.2


def test_long_series_have_the_memory_and_distribution_of_the_history(history: History) -> None:
    gan = untrained_gan(history, seed=0)
    made = gan.series(history, seed=1)
    distances = fidelity(made.rates_bps, history.rates_bps, history.step_s)
    assert distances.emd < 0.2
    assert distances.acf_error < 0.2
    assert distances.correlation_error < 0.2
    jumps = np.abs(np.diff(log_rates(made.rates_bps), axis=0)).mean()
    assert jumps < 2 * np.abs(np.diff(log_rates(history.rates_bps), axis=0)).mean()


def test_fidelity_tells_real_shuffled_and_scaled_apart(history: History) -> None:
    early, late = (half.rates_bps for half in history.split(0.5))
    random = np.random.default_rng(0)
    real = fidelity(early, late, 300)
    shuffled = fidelity(random.permuted(early, axis=0), late, 300)
    assert fidelity(late, late, 300).emd == 0
    assert shuffled.jsd == pytest.approx(real.jsd)
    assert shuffled.acf_error > 1.2 * real.acf_error
    assert shuffled.correlation_error > real.correlation_error
    assert fidelity(3 * early, late, 300).emd > 3 * real.emd


def test_an_interrupted_training_goes_on_to_the_same_weights(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {**gan_training.HYPER_PARAMETERS, "steps": 4, "checks": 4, "incident_steps": 2}
    parameters |= {"patience": 99, "batch": 4}
    monkeypatch.setattr(gan_training, "HYPER_PARAMETERS", parameters)
    whole = train_gan(history, 5, 60)
    checkpoint = tmp_path / "checkpoint"

    def interrupt(name: str, _: float, step: int) -> None:
        if name == "fidelity/score" and step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_gan(history, 5, 60, log=interrupt, resumption=Resumption(checkpoint))
    resumed = train_gan(history, 5, 60, resumption=Resumption(checkpoint, resume=True))
    assert resumed.training == whole.training
    np.testing.assert_array_equal(
        resumed.sample("peak", 1, 0).matrices_bps, whole.sample("peak", 1, 0).matrices_bps
    )
    assert gan_training.seconds_until(checkpoint) > 0
    with pytest.raises(ModelFileError, match="another history, seed or settings"):
        train_gan(history, 6, 60, resumption=Resumption(checkpoint, resume=True))
    permuted = replace(history, matrices_bps=history.matrices_bps[::-1])  # the same sum
    with pytest.raises(ModelFileError, match="another history"):
        train_gan(permuted, 5, 60, resumption=Resumption(checkpoint, resume=True))
    monkeypatch.setattr(gan_training, "HYPER_PARAMETERS", {**parameters, "average": 0.9})
    with pytest.raises(ModelFileError, match="settings"):
        train_gan(history, 5, 60, resumption=Resumption(checkpoint, resume=True))


def test_training_ends_early_and_stays_ended_when_resumed(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {**gan_training.HYPER_PARAMETERS, "steps": 6, "checks": 6, "incident_steps": 2}
    parameters |= {"patience": 2, "batch": 4}
    monkeypatch.setattr(gan_training, "HYPER_PARAMETERS", parameters)
    scores = iter(range(100))  # ever worse
    monkeypatch.setattr(gan_training._Training, "_score", lambda *_: float(next(scores)))
    checkpoint, heard = tmp_path / "checkpoint", list[float]()
    whole = train_gan(history, 5, 60, lambda done, _: heard.append(done))
    assert whole.training == {"steps": 2, "best_step": 0, "score": 0.0}
    assert heard[-1] == 1.0

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    scores = iter(range(100))
    with monkeypatch.context() as patch:
        patch.setattr(gan_training, "train_incidents", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_gan(history, 5, 60, resumption=Resumption(checkpoint))
    resumed = train_gan(history, 5, 60, resumption=Resumption(checkpoint, resume=True))
    assert resumed.training == whole.training
    whole.save(tmp_path / "whole.pt")
    resumed.save(tmp_path / "resumed.pt")
    assert (tmp_path / "whole.pt").read_bytes() == (tmp_path / "resumed.pt").read_bytes()


def test_private_training_spends_no_more_than_it_may(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {**gan_training.HYPER_PARAMETERS, "steps": 6, "incident_steps": 2}
    for module in (gan_training, gan_private):
        monkeypatch.setattr(module, "HYPER_PARAMETERS", parameters)
    heard: list[float] = []
    gan, privacy = gan_private.train_private_gan(
        history, 0, 60, 4.0, log=lambda _, value, __: heard.append(value)
    )
    assert 0 < privacy.epsilon <= 4.0
    assert privacy.delta < 1 / privacy.windows
    assert privacy.noise_multiplier > 0.3
    assert gan.training["epsilon"] == privacy.epsilon
    assert len(heard) == 6
    assert len(set(heard)) > 1  # the critic learns
    with pytest.raises(ValueError, match="above 0"):
        gan_private.train_private_gan(history, 0, 60, -1.0)
    stopped, spent = gan_private.train_private_gan(history, 0, 0.0, 4.0)
    assert stopped.training["steps"] == 0
    assert spent.epsilon == 0.0


def test_the_noise_of_privacy_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def randbits(bits: int) -> int:
        asked.append(bits)
        return 12_345

    monkeypatch.setattr(gan_private.secrets, "randbits", randbits)
    given, drawn = gan_private._Streams(7), gan_private._Streams(None)
    assert asked == [128]
    shocks = [
        torch.randn(4, generator=random).tolist()
        for one in (given, drawn)
        for random in (one.noise, one.latent)
    ]
    assert len({tuple(shock) for shock in shocks}) == 4
    again = gan_private._Streams(7)
    assert torch.randn(4, generator=again.noise).tolist() == shocks[0]
    plain = torch.Generator().manual_seed(7)
    assert torch.randn(4, generator=plain).tolist() not in shocks


def test_private_training_differs_each_time(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = {**gan_training.HYPER_PARAMETERS, "steps": 2, "incident_steps": 2}
    monkeypatch.setattr(gan_private, "HYPER_PARAMETERS", parameters)

    def weights(seed: int | None) -> torch.Tensor:
        gan, _ = gan_private.train_private_gan(history, seed, 60, 8.0)
        return gan.generator.course.detach()

    assert torch.equal(weights(7), weights(7))
    assert not torch.equal(weights(None), weights(None))


def test_labelled_failures_are_learnt_from(history: History) -> None:
    matrices_bps = history.matrices_bps.copy()
    matrices_bps[100:110, 2, :] *= 0.01
    matrices_bps[100:110, :, 2] *= 0.01
    labels = ["failure-aftermath" if 100 <= step < 110 else "" for step in range(history.steps)]
    seen = History(history.hosts, 300.0, matrices_bps, labels=tuple(labels))
    windows = labelled_incidents(seen, LENGTH)["failure-aftermath"]
    assert windows.shape == (1, LENGTH, MAX_SOURCES)
    assert (windows[0, :, 0] < 0.1).all()


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


def test_the_same_model_gives_the_same_bytes(trained_gan: TrafficGan, tmp_path: Path) -> None:
    for name in ("one.pt", "other.pt"):
        trained_gan.save(tmp_path / name)
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "other.pt").read_bytes()


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04" + bytes(50), b"\x80\x02."])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "gan.pt").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"gan\.pt"):
        TrafficGan.load(tmp_path / "gan.pt")


@given(content=st.binary(max_size=300), magic=st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02"]))
def test_any_bytes_are_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, magic: bytes
) -> None:
    file = tmp_path_factory.mktemp("foreign") / "gan.pt"
    file.write_bytes(magic + content)
    with pytest.raises(ModelFileError, match=r"gan\.pt"):
        load_model(file, "traffic-gan-2")


def test_a_model_cut_anywhere_is_a_clear_error(tmp_path: Path) -> None:
    file = tmp_path / "model.pt"
    save_model(file, "small", {"weights": torch.arange(40.0), "hosts": ["a", "b"]})
    whole = file.read_bytes()
    assert load_model(file, "small")["hosts"] == ["a", "b"]
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match=r"model\.pt: no readable model"):
            load_model(file, "small")
    torch.save(torch.nn.Linear(2, 2), file)  # a pickle of a class
    with pytest.raises(ModelFileError, match=r"model\.pt: no readable model"):
        load_model(file, "small")


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    torch.save({"kind": "traffic-gan-2", "hosts": Path("/")}, tmp_path / "gan.pt")
    with pytest.raises(ModelFileError):
        TrafficGan.load(tmp_path / "gan.pt")
    torch.save({"kind": "another"}, tmp_path / "gan.pt")
    with pytest.raises(ModelFileError, match="not a model of the kind"):
        TrafficGan.load(tmp_path / "gan.pt")
    torch.save({"kind": "traffic-gan-2"}, tmp_path / "gan.pt")
    with pytest.raises(ModelFileError, match="incomplete"):
        TrafficGan.load(tmp_path / "gan.pt")


def test_progress_and_budget(
    history: History,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    quick: Quick,
) -> None:
    quick(monkeypatch)
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
    assert gan.sample("normal", 2, 0).matrices_bps.shape == (2, LENGTH, hosts, hosts)
    assert heard[0] == 0.0
    assert heard[-1] == 1.0


def test_traffic_that_never_changes_can_be_learnt(
    monkeypatch: pytest.MonkeyPatch, quick: Quick
) -> None:
    quick(monkeypatch)
    constant = History(("a", "b", "c"), 300.0, np.full((60, 3, 3), 1e6) * (1 - np.eye(3)))
    made = train_gan(constant, 0, 60).sample("normal", 2, 0).matrices_bps
    np.testing.assert_allclose(made[..., 0, 1], 1e6, rtol=1e-3)

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from generators import gan_training
from generators.builtin_history import builtin_history
from generators.history import History
from generators.model_store import ModelStore, history_sha256
from generators.training import (
    TrainedModels,
    cache_key,
    default_cache_dir,
    run_models,
    trained_models,
)
from topologies.catalogue import load_topology
from topologies.model import Topology

TRIANGLE = load_topology("triangle")
HISTORY = builtin_history(TRIANGLE, seed=0, days=1)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, quick: Callable[[pytest.MonkeyPatch], None]) -> None:
    quick(monkeypatch)


def train(cache: Path, history: History = HISTORY, seed: int = 0) -> tuple[TrainedModels, set[str]]:
    """The models, and what was done to get them."""
    heard: set[str] = set()
    models = trained_models(TRIANGLE, history, seed, lambda _, what: heard.add(what), cache)
    return models, heard


def test_the_second_time_nothing_is_trained(tmp_path: Path) -> None:
    first, heard = train(tmp_path / "new" / "cache")
    assert heard == {"training the GAN", "training the VAE", "models ready"}
    second, heard = train(tmp_path / "new" / "cache")
    assert heard == {"models ready"}
    wanted = first.gan.sample("normal", 2, 0).matrices_bps
    np.testing.assert_array_equal(second.gan.sample("normal", 2, 0).matrices_bps, wanted)
    assert first.vae_path is not None
    assert first.vae_path.is_file()


def test_progress_only_grows(tmp_path: Path) -> None:
    heard: list[float] = []
    trained_models(TRIANGLE, HISTORY, 0, lambda done, _: heard.append(done), tmp_path)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


def test_another_history_or_seed_is_trained_anew(tmp_path: Path) -> None:
    train(tmp_path)
    other = builtin_history(TRIANGLE, seed=1, days=1)
    assert "training the GAN" in train(tmp_path, history=other)[1]
    assert "training the GAN" in train(tmp_path, seed=1)[1]


def test_whatever_a_model_learns_from_is_part_of_its_name() -> None:
    labels = ("",) * 20 + ("attack",) * (HISTORY.steps - 20)
    others = [
        replace(HISTORY, start_s=3600.0),
        replace(HISTORY, labels=labels),
        replace(HISTORY, step_s=60.0),
        replace(HISTORY, hosts=("x", "y", "z")),
        replace(HISTORY, matrices_bps=HISTORY.matrices_bps[::-1]),
    ]
    names = {cache_key(history, {"steps": 8}, 0) for history in (HISTORY, *others)}
    assert len(names) == 6
    assert cache_key(HISTORY, {"steps": 8}, 0) in names
    assert cache_key(HISTORY, {"steps": 9}, 0) not in names
    assert cache_key(HISTORY, {"steps": 8}, 1) not in names


def test_cached_models_have_records(tmp_path: Path) -> None:
    models, _ = train(tmp_path)
    records = run_models(tmp_path).records()
    assert {record.kind for record in records} == {"gan", "vae"}
    for record in records:
        assert record.topology == TRIANGLE.name
        assert record.history_sha256 == history_sha256(HISTORY)
        assert (record.seed, record.history_steps) == (0, HISTORY.steps)
        assert record.seconds > 0
        assert run_models(tmp_path).find(record.name)[0] == record
    of_gan = next(record for record in records if record.kind == "gan")
    assert of_gan.scores == models.gan.training


def test_a_damaged_file_is_trained_anew_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = train(tmp_path)
    assert first.gan_path is not None
    whole = first.gan_path.read_bytes()
    first.gan_path.write_bytes(whole[: len(whole) // 2])
    with caplog.at_level(logging.WARNING):
        _, heard = train(tmp_path)
    assert heard == {"training the GAN", "models ready"}
    assert "trained anew" in caplog.text
    assert train(tmp_path)[1] == {"models ready"}


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    with caplog.at_level(logging.WARNING):
        models, _ = train(in_the_way / "cache")
    assert models.gan_path is None
    assert models.vae_path is None
    assert "not cached" in caplog.text


def test_weights_without_a_record_are_cached_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ModelStore, "add", full)
    with caplog.at_level(logging.WARNING):
        models, _ = train(tmp_path)
    assert models.gan_path is not None
    assert models.gan_path.is_file()
    assert f"{models.gan_path} has no record" in caplog.text
    assert "anew" not in caplog.text
    assert train(tmp_path)[1] == {"models ready"}


def test_the_largest_seed_trains_too() -> None:
    gan_training.train_gan(HISTORY, 2**63 - 1, 300)


def test_a_history_of_other_hosts_is_refused(tmp_path: Path, abilene: Topology) -> None:
    with pytest.raises(ValueError, match="are not those of"):
        trained_models(abilene, HISTORY, 0, None, tmp_path)


def test_the_cache_is_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "twinbed"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / ".cache" / "twinbed"

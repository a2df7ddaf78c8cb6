"""`train`, `generate`, `models` and `history` on a small network, from end to end."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.main import main
from generators import gan_private, gan_training, vae
from generators.builtin_history import builtin_history
from generators.gan import TrafficGan
from generators.history import History
from generators.history.npz import write_npz
from generators.schedule import Schedule
from results import traffic_page
from topologies.catalogue import load_topology
from twin import training


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    parameters = {**gan_training.HYPER_PARAMETERS, "steps": 2, "checks": 1, "incident_steps": 2}
    for module in (gan_training, gan_private):
        monkeypatch.setattr(module, "HYPER_PARAMETERS", parameters)


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    document: dict[str, object] = json.loads(capsys.readouterr().out)
    return document


def test_from_a_history_to_a_schedule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = builtin_history(load_topology("triangle"), 0, days=2)
    write_npz(history, tmp_path / "tm.npz")
    assert main(["history", "show", "tm.npz", "--json"]) == 0
    assert said(capsys)["pairs"] == 6
    train = ["train", "gan", "--history", "tm.npz", "--out", "small", "--log-dir", "logs", "--json"]
    assert main(train) == 0
    record = said(capsys)
    assert record["version"] == 1
    assert float(str(record["seconds"])) > 0
    assert any((tmp_path / "logs").iterdir())
    store = tmp_path / "data" / "twinbed" / "models"
    page = (store / "small-v1.html").read_text()
    for title in ("Total traffic", "Autocorrelation", "Share of variance", "Rates of all pairs"):
        assert title in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert main([*train]) == 0
    assert said(capsys)["version"] == 2
    assert main(["models", "--json"]) == 0
    models = said(capsys)["models"]
    assert isinstance(models, list)
    assert [one["version"] for one in models] == [1, 2]
    words = "generate --model small --class attack-pulse --seed 7 --hours 2 --out s.npz --compare"
    for out in ("s.npz", "again.npz"):
        assert main([*words.replace("s.npz", out).split(), "--at", "Tue 14:30", "--json"]) == 0
        assert said(capsys)["steps"] == 24
    schedule, again = Schedule.load(tmp_path / "s.npz"), Schedule.load(tmp_path / "again.npz")
    np.testing.assert_array_equal(schedule.matrices_bps, again.matrices_bps)
    assert schedule.interval_s == 300
    assert schedule.floods
    assert "real beside generated" in (tmp_path / "s.html").read_text()


def test_an_interrupted_training_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", "gan", "--topology", "triangle", "--json", "--out"]
    assert main([*words, "whole"]) == 0
    whole = said(capsys)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(gan_training, "train_incidents", interrupt)
        with contextlib.suppress(KeyboardInterrupt):
            assert main([*words, "part"]) != 0
    capsys.readouterr()
    store = tmp_path / "data" / "twinbed" / "models"
    assert (store / "part.checkpoint").is_file()
    assert not (store / "part-v1.json").exists()
    monkeypatch.setattr(gan_training, "seconds_until", lambda _: 1000.0)
    assert main([*words, "part", "--resume"]) == 0
    resumed = said(capsys)
    assert resumed["weights_sha256"] == whole["weights_sha256"]
    assert float(str(resumed["seconds"])) > 1000.0  # those before the interruption, too
    assert not (store / "part.checkpoint").exists()


def test_comparing_an_attack_shows_the_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["train", "gan", "--topology", "triangle", "--json"]) == 0
    shown: list[History] = []

    def page(_: str, __: History, made: History) -> str:
        shown.append(made)
        return ""

    monkeypatch.setattr(traffic_page, "traffic_page", page)
    words = ["generate", "--model", "gan", "--class", "attack", "--out", "s.npz", "--compare"]
    assert main(words) == 0
    schedule = Schedule.load(Path("s.npz"))
    flood_bps = sum(flood.rates_bps for flood in schedule.floods)
    calm_bps = schedule.matrices_bps.sum(axis=(1, 2))
    assert np.max(flood_bps) > 0
    np.testing.assert_allclose(shown[0].matrices_bps.sum(axis=(1, 2)), calm_bps + flood_bps)


def test_private_training_tells_its_cost_and_no_seed(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "gan", "--topology", "triangle", "--dp-epsilon", "8", "--json"]
    hashes = set()
    for seed in ([], [], ["--seed", "4"]):
        assert main([*words, *seed]) == 0
        record = said(capsys)
        assert record["seed"] is None
        assert isinstance(record["scores"], dict)
        assert isinstance(record["without_privacy"], dict)
        assert record["scores"]["steps"] == 2
        assert record["without_privacy"]["emd"] != record["scores"]["emd"]
        hashes.add(record["weights_sha256"])
    assert len(hashes) == 3
    assert main(["models"]) == 0
    table = capsys.readouterr().out
    assert "secret" in table
    assert "privacy" in table


def test_every_kind_of_model_has_a_record(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vae, "HYPER_PARAMETERS", {**vae.HYPER_PARAMETERS, "steps": 4})
    monkeypatch.setattr(training, "_STEPS", 4)
    for kind, score in (("vae", "nmae"), ("forecaster", "wape")):
        assert main(["train", kind, "--topology", "triangle", "--seed", "3", "--json"]) == 0
        record = said(capsys)
        assert (record["name"], record["kind"], record["seed"]) == (kind, kind, 3)
        assert record["history"] == "built-in"
        assert isinstance(record["scores"], dict)
        assert 0 < record["scores"][score] < 2
    train_policy = "train twin-rl --out w.pt --updates 1 --topology triangle --json"
    assert main(train_policy.split()) == 0
    said(capsys)
    assert main(["models", "--json"]) == 0
    models = said(capsys)["models"]
    assert isinstance(models, list)
    assert {one["kind"] for one in models} == {"vae", "forecaster", "twin-rl"}
    assert all(one["seconds"] > 0 and one["peak_memory_mb"] > 0 for one in models)
    assert main(["generate", "--model", "vae", "--out", "x.npz"]) == 2
    assert "a vae makes no traffic" in capsys.readouterr().err


def test_a_page_goes_with_its_record_if_another_training_was_faster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "data" / "twinbed" / "models"
    words = ["train", "gan", "--topology", "triangle", "--json"]
    train_gan = gan_training.train_gan

    def overtaken(*arguments: Any) -> TrafficGan:
        monkeypatch.setattr(gan_training, "train_gan", train_gan)
        assert main(words) == 0
        (store / "gan-v1.html").write_text("of the other")
        return train_gan(*arguments)

    monkeypatch.setattr(gan_training, "train_gan", overtaken)
    assert main(words) == 0
    assert (store / "gan-v1.html").read_text() == "of the other"
    assert "gan@2" in (store / "gan-v2.html").read_text()


def test_a_private_training_leaves_the_checkpoint_of_another_alone(tmp_path: Path) -> None:
    checkpoint = tmp_path / "data" / "twinbed" / "models" / "gan.checkpoint"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"of an ordinary training")
    assert main(["train", "gan", "--topology", "triangle", "--dp-epsilon", "8", "--json"]) == 0
    assert checkpoint.exists()


def test_an_error_of_a_day_without_traffic_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vae, "HYPER_PARAMETERS", {**vae.HYPER_PARAMETERS, "steps": 4})
    monkeypatch.setattr(training, "_STEPS", 4)
    history = builtin_history(load_topology("triangle"), 0, days=3)
    history.matrices_bps[-288:] = 0.0
    write_npz(history, Path("tm.npz"))
    for kind in ("vae", "forecaster"):
        words = ["train", kind, "--topology", "triangle", "--history", "tm.npz", "--json"]
        assert main(words) == 0
        assert said(capsys)["scores"] == {}
    assert main(["models"]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train gan", "give --history FILE, or --topology T"),
        ("train gan --topology triangle --out a/b", "no name for a model"),
        ("train gan --history absent.npz", "absent.npz: no such file"),
        ("train gan --topology triangle --dp-epsilon -1", "above 0"),
        ("train forecaster --history x.npz", "--topology: a forecaster is one of a network"),
        ("train gan --topology triangle --resume", "--resume: .*no readable model"),
        ("generate --model none --out x.npz", "no model none .*there: none"),
        ("generate --model none --at noon --out x.npz", "give a day and a time"),
        ("generate --model none --load 2 --out x.npz", "between 0 and 1"),
        ("history show absent.npz", "absent.npz: no such file"),
        ("history convert absent.csv --out x.csv", "absent.csv: no such file"),
        ("history from-run nowhere --out x.npz", "is no run"),
    ],
)
def test_wrong_words_end_with_a_message(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    error = capsys.readouterr().err
    assert "Traceback" not in error
    assert re.search(message, error.replace("\n", " "))


def test_truncated_and_replaced_weights_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "gan", "--topology", "triangle"]) == 0
    weights = tmp_path / "data" / "twinbed" / "models" / "gan-v1.pt"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert main(["generate", "--model", "gan", "--out", "x.npz"]) == 2
    assert "truncated, or replaced" in capsys.readouterr().err
    weights.with_suffix(".json").write_text("{}")
    assert main(["models"]) == 2
    assert "no record of a model" in capsys.readouterr().err

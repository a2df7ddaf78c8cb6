"""`train`, `generate`, `models` and `history` on a small network, from end to end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from cli.main import main
from generators import gan_training
from generators.builtin_history import builtin_history
from generators.history.npz import write_npz
from generators.schedule import Schedule
from topologies.catalogue import load_topology


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    parameters = {**gan_training.HYPER_PARAMETERS, "steps": 2, "checks": 1, "incident_steps": 2}
    monkeypatch.setattr(gan_training, "HYPER_PARAMETERS", parameters)


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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train gan", "give --history FILE, or --topology T"),
        ("train gan --topology triangle --out a/b", "no name for a model"),
        ("train gan --history absent.npz", "absent.npz: no such file"),
        ("train gan --topology triangle --dp-epsilon -1", "above 0"),
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

"""What peers are told, and what their scripts make of it, with stand-ins for their packages."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from benchmarks import peers
from generators.schedule import FloatArray
from generators.training_loop import seeded_and_single_threaded

SCRIPTS = Path(peers.__file__).parent / "peer_scripts"
DAY, PAIRS = 24, 2
PHASES: FloatArray = np.repeat(np.arange(3.5 * DAY)[:, None] % DAY, PAIRS, axis=1)


class Peer:
    """Draws from torch, as DGAN, PAR and SAITS do, and keeps what it was to learn from."""

    learnt: Any = None

    def __init__(self, *_: object, **__: object) -> None: ...

    def _learn(self, *what: object, **_: object) -> None:
        Peer.learnt = what[0] if what else None

    train_numpy = fit = fit_sequences = _learn

    def generate_numpy(self, count: int) -> tuple[None, FloatArray]:
        return None, torch.rand(count, DAY, PAIRS).numpy()

    def sample_sequence(self, _: object, length: int) -> list[list[float]]:
        return torch.rand(PAIRS, length).tolist()

    def impute(self, given: dict[str, FloatArray]) -> FloatArray:
        return torch.rand(given["X"].shape).numpy()


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "deepecho",
        "gretel_synthetics.timeseries_dgan.config",
        "gretel_synthetics.timeseries_dgan.dgan",
        "pypots.imputation",
    ):
        module = ModuleType(name)
        for peer in ("DGAN", "DGANConfig", "PARModel", "SAITS"):
            setattr(module, peer, Peer)
        monkeypatch.setitem(sys.modules, name, module)


def answer(script: str, folder: Path, **asked: Any) -> dict[str, FloatArray]:
    """What a script answers, in this process."""
    files = str(folder / "in.npz"), str(folder / "out.npz")
    np.savez(files[0], **asked)
    with seeded_and_single_threaded(1), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [script, *files])
        runpy.run_path(str(SCRIPTS / f"{script}.py"), run_name="__main__")
    with np.load(files[1]) as found:
        return dict(found)


def test_a_script_is_told_a_seed_that_any_generator_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "peer_scripts").mkdir()
    (tmp_path / "peer_scripts" / "echo.py").write_text(
        "import sys, numpy\n"
        "asked = numpy.load(sys.argv[1])\n"
        "numpy.savez(sys.argv[2], **{name: asked[name] for name in asked.files})\n"
    )
    monkeypatch.setattr(peers, "_HERE", tmp_path)
    monkeypatch.setattr(peers, "_python", lambda _: Path(sys.executable))
    for seed, told in ((7, 7), (2**40 + 3, 3)):
        found = peers.run_peer("any", "echo", tmp_path, {"logs": PHASES}, seed)
        assert int(found["seed"]) == told
        assert np.array_equal(found["logs"], PHASES)


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        ("dgan", {"logs": PHASES, "day_steps": DAY, "steps": DAY}),
        ("par", {"logs": PHASES, "day_steps": DAY, "steps": DAY}),
        ("saits", {"history": np.tile(PHASES, (2, 1)), "seen_0": np.full((96, PAIRS), np.nan)}),
    ],
)
def test_what_a_peer_makes_is_decided_by_the_seed(
    script: str, asked: dict[str, Any], tmp_path: Path
) -> None:
    (name,) = answer(script, tmp_path, **asked, seed=1)
    first, again, other = (answer(script, tmp_path, **asked, seed=s)[name] for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_nhits_is_given_the_seed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = "pandas", "neuralforecast", "neuralforecast.losses.pytorch", "neuralforecast.models"
    package = MagicMock()
    package.NHITS.side_effect = StopIteration  # it would train now
    for name in names:
        monkeypatch.setitem(sys.modules, name, package)
    asked = {"rates_bps": PHASES, "now": np.array([60]), "aheads": np.array([1])}
    with pytest.raises(StopIteration):
        answer("neural_forecast", tmp_path, **asked, cut=60, day=DAY, seed=5)
    assert package.NHITS.call_args.kwargs["random_seed"] == 5


def test_made_days_of_par_begin_where_the_history_ends(tmp_path: Path) -> None:
    answer("par", tmp_path, logs=PHASES, day_steps=DAY, steps=DAY, seed=1)
    begun = [day["data"][0][0] for day in Peer.learnt]
    assert begun == [DAY / 2] * 3

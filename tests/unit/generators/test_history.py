from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generators.builtin_history import builtin_history
from generators.history import MIN_STEPS, History, HistoryError, load_history
from topologies.catalogue import load_topology
from topologies.model import Topology
from topologies.topohub import demand_matrix


@pytest.fixture(scope="module")
def triangle() -> Topology:
    return load_topology("triangle")


def matrices(steps: int = MIN_STEPS, hosts: int = 3) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).random((steps, hosts, hosts)).astype(np.float32)


def test_builtin_history_is_deterministic_and_differs_by_seed(triangle: Topology) -> None:
    a, b, c = (builtin_history(triangle, seed, days=1).matrices_bps for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)


def test_builtin_history_follows_the_known_demands(abilene: Topology) -> None:
    week = builtin_history(abilene, seed=0)
    assert week.matrices_bps.shape == (7 * 288, 12, 12)
    assert (np.diagonal(week.matrices_bps, axis1=1, axis2=2) == 0).all()
    demands = demand_matrix(abilene.name)
    assert np.corrcoef(demands.ravel(), week.matrices_bps.mean(axis=0).ravel())[0, 1] > 0.9


def test_builtin_history_has_days_and_weekends(abilene: Topology) -> None:
    totals = builtin_history(abilene, seed=0).matrices_bps.sum(axis=(1, 2)).reshape(7, 288)
    assert totals[:5].mean() > 1.1 * totals[5:].mean()
    of_day = totals[:5].mean(axis=0)
    assert of_day.max() > 1.3 * of_day.min()


def test_pairs_are_in_the_order_of_the_topology(triangle: Topology) -> None:
    history = builtin_history(triangle, seed=0, days=1)
    index = {name: row for row, name in enumerate(history.hosts)}
    wanted = [history.matrices_bps[7, index[s], index[t]] for s, t in triangle.od_pairs]
    np.testing.assert_array_equal(history.rates_bps[7], wanted)


def test_split_keeps_the_order(triangle: Topology) -> None:
    history = builtin_history(triangle, seed=0, days=1)
    early, late = history.split(0.75)
    assert (early.steps, late.steps) == (216, 72)
    both = np.concatenate([early.matrices_bps, late.matrices_bps])
    np.testing.assert_array_equal(both, history.matrices_bps)


def test_load_history_converts_units_and_drops_the_diagonal(
    tmp_path: Path, triangle: Topology
) -> None:
    path = tmp_path / "tm.npz"
    np.savez(path, tm_kbps=matrices(), step_s=60, comment="other keys do not matter")
    history = load_history(path, triangle)
    assert isinstance(history, History)
    assert history.step_s == 60
    assert history.matrices_bps[5, 0, 1] == pytest.approx(1e3 * matrices()[5, 0, 1])
    assert (np.diagonal(history.matrices_bps, axis1=1, axis2=2) == 0).all()


def test_nodes_decide_the_order_of_the_rows(tmp_path: Path, triangle: Topology) -> None:
    names = [host.label.upper() for host in triangle.hosts]
    shuffle = [2, 0, 1]
    path = tmp_path / "tm.npz"
    tm_kbps = matrices()[:, shuffle][:, :, shuffle]
    np.savez(path, tm_kbps=tm_kbps, nodes=np.array(names)[shuffle])
    history = load_history(path, triangle)
    assert history.matrices_bps[0, 0, 2] == pytest.approx(1e3 * matrices()[0, 0, 2])


def test_unknown_nodes_are_warned_of(
    tmp_path: Path, triangle: Topology, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "tm.npz"
    np.savez(path, tm_kbps=matrices(), nodes=np.array(["x", "y", "z"]))
    with caplog.at_level(logging.WARNING):
        load_history(path, triangle)
    assert "in the order of the hosts" in caplog.text


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"tm": matrices()}, "no array tm_kbps.*found: tm"),
        ({"tm_kbps": matrices(hosts=4)}, r"4 nodes, but triangle has 3 hosts"),
        ({"tm_kbps": matrices()[0]}, r"shape \(3, 3\)"),
        ({"tm_kbps": matrices(steps=5)}, f"5 matrices: give at least {MIN_STEPS}"),
        ({"tm_kbps": -matrices()}, r"tm_kbps\[0, \d, \d\] is -.* finite rates"),
        ({"tm_kbps": matrices() * np.nan}, "all of it is gaps"),
        ({"tm_kbps": matrices() * np.eye(3)}, "all rates are zero"),
        ({"tm_kbps": matrices(), "step_s": 0}, "step_s is 0"),
        ({"tm_kbps": np.array([{}], dtype=object)}, "plain numeric arrays"),
        ({"tm_kbps": np.array(["much"])}, "plain numeric arrays"),
    ],
)
def test_a_bad_file_is_named_with_the_mend(
    tmp_path: Path, triangle: Topology, arrays: dict[str, Any], message: str
) -> None:
    path = tmp_path / "tm.npz"
    np.savez(path, **arrays)
    with pytest.raises(HistoryError, match=rf"tm\.npz: .*{message}"):
        load_history(path, triangle)


def test_what_is_no_npz_is_named(tmp_path: Path, triangle: Topology) -> None:
    text = tmp_path / "tm.npz"
    text.write_text("1,2,3")
    bare = tmp_path / "tm.npy"
    np.save(bare, matrices())
    for path in (text, bare, tmp_path / "absent.npz"):
        with pytest.raises(HistoryError, match=path.name):
            load_history(path, triangle)

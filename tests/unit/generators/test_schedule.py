from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from generators.schedule import Flood, Schedule, ScheduleFileError


def a_schedule(floods: tuple[Flood, ...] = ()) -> Schedule:
    matrices_bps = np.random.default_rng(0).random((3, 2, 2)) * 1e6
    return Schedule(("h1", "h2"), 0.1, matrices_bps, floods, ("cut: ½ of it",))


def test_a_saved_schedule_knows_its_tcp(tmp_path: Path) -> None:
    tcp_pairs = frozenset({("h1", "h2")})
    replace(a_schedule(), tcp_pairs=tcp_pairs).save(tmp_path / "schedule.npz")
    assert Schedule.load(tmp_path / "schedule.npz").tcp_pairs == tcp_pairs


def test_a_schedule_of_before_there_was_tcp_has_none(tmp_path: Path) -> None:
    a_schedule().save(tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as new:
        np.savez(tmp_path / "old.npz", **{n: new[n] for n in new.files if n != "tcp_pairs"})
    assert Schedule.load(tmp_path / "old.npz").tcp_pairs == frozenset()


@pytest.mark.parametrize("floods", [(), (Flood("h1", "h2", np.array([0.0, 1 / 3, 2e6])),)])
def test_a_saved_schedule_is_read_back_exactly(tmp_path: Path, floods: tuple[Flood, ...]) -> None:
    schedule = a_schedule(floods)
    schedule.save(tmp_path / "schedule.npz")
    read = Schedule.load(tmp_path / "schedule.npz")
    assert (read.hosts, read.interval_s, read.notes) == (("h1", "h2"), 0.1, ("cut: ½ of it",))
    np.testing.assert_array_equal(read.matrices_bps, schedule.matrices_bps)
    assert [(f.source, f.victim) for f in read.floods] == [(f.source, f.victim) for f in floods]
    for flood, wanted in zip(read.floods, floods, strict=True):
        np.testing.assert_array_equal(flood.rates_bps, wanted.rates_bps)


def test_the_same_schedule_gives_the_same_file(tmp_path: Path) -> None:
    a_schedule().save(tmp_path / "a.npz")
    a_schedule().save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_the_file_holds_no_pickles(tmp_path: Path) -> None:
    a_schedule().save(tmp_path / "schedule.npz")
    with np.load(tmp_path / "schedule.npz", allow_pickle=False) as arrays:
        assert all(array.dtype != object for array in arrays.values())


def test_a_file_that_is_no_schedule_is_named(tmp_path: Path) -> None:
    path = tmp_path / "schedule.npz"
    for content in (b"", b"PK\x03\x04 broken", b"text"):
        path.write_bytes(content)
        with pytest.raises(ScheduleFileError, match=r"schedule\.npz"):
            Schedule.load(path)
    np.savez(path, hosts=np.array(["h1"]))
    with pytest.raises(ScheduleFileError, match="no readable schedule"):
        Schedule.load(path)
    with path.open("wb") as file:
        np.save(file, np.ones(3))
    with pytest.raises(ScheduleFileError, match="one bare array"):
        Schedule.load(path)
    with pytest.raises(ScheduleFileError):
        Schedule.load(tmp_path / "absent.npz")


def test_a_damaged_archive_is_named(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = tmp_path / "schedule.npz"
    a_schedule().save(path)
    damage(path)
    with pytest.raises(ScheduleFileError, match=r"schedule\.npz"):
        Schedule.load(path)


def test_a_schedule_that_is_not_written_to_its_end_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "schedule.npz"
    a_schedule().save(path)
    before = path.read_bytes()

    def interrupted(file: BinaryIO, **_: object) -> None:
        file.write(b"PK")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        a_schedule().save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_length() -> None:
    assert a_schedule().steps == 3
    assert a_schedule().duration_s == pytest.approx(0.3)

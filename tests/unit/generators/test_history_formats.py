"""Every format ends in the same history; what is wrong is named with file and line."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.history import History, HistoryError, load_history, read_history
from generators.history.event_log import labelled
from generators.history.npz import write_npz
from generators.history.sndlib_native import read_native
from topologies.catalogue import load_topology

NATIVE = """?SNDlib native format; type: network; version: 1.0
META (
  granularity = 5min
  time = {time}
  unit = MBITPERSEC
)
NODES (
  A ( 0.0 1.0 )
  B ( 1.0 0.0 )
)
LINKS (
)
DEMANDS (
  A_A ( A A ) 1 9.0 UNLIMITED
  A_B ( A B ) 1 {value} UNLIMITED
)
"""
XML = """<?xml version="1.0"?>
<network xmlns="http://sndlib.zib.de/network" version="1.0">
 <meta><granularity>5min</granularity><time>{time}</time><unit>MBITPERSEC</unit></meta>
 <networkStructure><nodes><node id="A"/><node id="B"/></nodes><links/></networkStructure>
 <demands>
  <demand id="A_A"><source>A</source><target>A</target><demandValue>9.0</demandValue></demand>
  <demand id="A_B">
   <source>A</source><target>B</target><demandValue>{value}</demandValue>
  </demand>
 </demands>
</network>
"""
TIMES = ("20040302-0110", "20040302-0100", "20040302-0120")  # 01:05 and 01:15 are missing
VALUES = (2.0, 1.0, 3.0)


def folder(path: Path, form: str) -> Path:
    path.mkdir()
    for time, value in zip(TIMES, VALUES, strict=True):
        suffix = "txt" if form is NATIVE else "xml"
        file = path / f"demandMatrix-{time}.{suffix}"
        file.write_text(form.format(time=time, value=value))
    return path


def as_tgz(source: Path) -> Path:
    path = source.with_suffix(".tgz")
    with tarfile.open(path, "w:gz") as archive:
        archive.add(source, "matrices")
    return path


def as_zip(source: Path) -> Path:
    path = source.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in source.iterdir():
            archive.write(file, file.name)
    return path


@pytest.mark.parametrize("form", [NATIVE, XML])
@pytest.mark.parametrize("packed", [lambda path: path, as_tgz, as_zip])
def test_sndlib(tmp_path: Path, form: str, packed: Callable[[Path], Path]) -> None:
    history = read_history(packed(folder(tmp_path / "matrices", form)))
    assert history.hosts == ("A", "B")
    assert history.step_s == 300
    assert history.start_s == 86_400 + 3600  # a Tuesday, 01:00
    np.testing.assert_array_equal(history.rates_bps[:, 0], [1e6, np.nan, 2e6, np.nan, 3e6])
    np.testing.assert_array_equal(history.gaps[:, 0], [False, True, False, True, False])
    np.testing.assert_array_equal(history.filled().rates_bps[:, 0], 1e6 * np.arange(1, 3.1, 0.5))


@pytest.mark.parametrize(
    ("form", "old", "new", "message"),
    [
        (NATIVE, "2.0 UNL", "-2.0 UNL", r"0110\.txt:15: '-2.0' is no rate"),
        (NATIVE, "( A B ) 1", "A B 1", r"0110\.txt:15: no demand"),
        (NATIVE, "UNLIMITED\n)", "UNLIMITED\n", "section DEMANDS is not closed"),
        (NATIVE, "DEMANDS (", "DEMANDS_X (", "no section DEMANDS"),
        (NATIVE, "MBITPERSEC", "FURLONGS", "unit FURLONGS"),
        (NATIVE, "5min", "15min", "different granularity"),
        (NATIVE, "20040302-0110\n", "20040302-0113\n", "not a multiple of 300 s"),
        (NATIVE, "20040302-0110\n", "20040302-0100\n", "the same time as"),
        (NATIVE, "20040302-0110\n", "20041302-0100\n", "is no time"),
        (XML, "<source>A</source><target>B", "<target>B", r"0110\.xml:9: a demand without source"),
        (XML, "2.0<", "much<", r"0110\.xml:9: 'much' is no rate"),
        (XML, "</demands>", "", r"0110\.xml:11: not well-formed XML"),
        (XML, "<network xmlns", "<!DOCTYPE x><network xmlns", "document type"),
    ],
)
def test_a_bad_matrix_is_named_with_its_line(
    tmp_path: Path, form: str, old: str, new: str, message: str
) -> None:
    file = next(folder(tmp_path / "m", form).glob("*0110*"))
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(HistoryError, match=message):
        read_history(tmp_path / "m")


def test_a_damaged_archive_is_named(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    matrices = as_zip(folder(tmp_path / "m", XML))
    stored = tmp_path / "tm.npz"
    write_npz(History(("a", "b"), 60.0, np.ones((9, 2, 2))), stored)
    for file in (matrices, stored):
        damage(file)
        with pytest.raises(HistoryError, match=file.name):
            read_history(file)


@given(st.text(max_size=200))
def test_native_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(HistoryError, match=r"^file"):
        read_native("file", text)


def table(path: Path, head: str, *lines: str) -> Path:
    path.write_text("\n".join([head, *lines]) + "\n")
    return path


def test_rates_in_a_table(tmp_path: Path) -> None:
    file = table(
        tmp_path / "rates.csv",
        "time,source,target,rate_kbps,label",
        "2026-01-07T12:00:00,a,b,1.5,",
        "2026-01-07T12:01:00,b,a,2,attack",
        "2026-01-07T12:02:00,a,b,,",
    )
    history = read_history(file)
    assert history.step_s == 60
    assert history.start_s == 2.5 * 86_400
    np.testing.assert_array_equal(history.rates_bps, [[1500, 0], [0, 2000], [np.nan, 0]])
    assert history.labels == ("", "attack", "")


def test_flow_records_add_up(tmp_path: Path) -> None:
    file = table(
        tmp_path / "flows.csv",
        "time,source,target,bytes",
        *("0,a,b,100", "0,a,b,25", "10,a,b,250"),
    )
    np.testing.assert_array_equal(read_history(file).rates_bps[:, 0], [100, 200])


def test_counters_that_begin_anew_leave_a_gap(tmp_path: Path) -> None:
    file = table(
        tmp_path / "counters.csv",
        "time,source,target,counter_bytes",
        *(f"{t},a,b,{count}" for t, count in ((0, 1000), (8, 2000), (16, 500), (24, 700))),
    )
    history = read_history(file)
    np.testing.assert_array_equal(history.rates_bps[:, 0], [1000, np.nan, 200])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("time,from,to,rate_bps",), r"t\.csv:1: columns time, from, to, rate_bps: give time"),
        (("time,source,target",), r"t\.csv:1: .*one of rate_bps"),
        (("time,source,target,rate_bps", "0,a,b,1", "9,a,b"), r"t\.csv:3: not as many cells"),
        (("time,source,target,rate_bps", "0,a,b,nan"), r"t\.csv:2: 'nan' is no rate"),
        (("time,source,target,rate_bps", "noon,a,b,1"), r"t\.csv:2: 'noon' is no time"),
        (("time,source,target,rate_bps", "0,a,b,1", "0,a,b,2"), r"t\.csv:3: a to b once more"),
        (("time,source,target,rate_bps", "0,,b,1"), r"t\.csv:2: source or target is empty"),
        (("time,source,target,rate_bps", "0,a,b,1"), "give two at least"),
        (("time,source,target,rate_bps", "0,a,b,1", "1,a,b,1", "1e15,a,b,1"), r"t\.csv:4: .* mend"),
    ],
)
def test_a_bad_table_is_named_with_its_line(
    tmp_path: Path, lines: tuple[str, ...], message: str
) -> None:
    with pytest.raises(HistoryError, match=message):
        read_history(table(tmp_path / "t.csv", *lines))


def test_event_logs_label_the_steps_they_touch(tmp_path: Path) -> None:
    history = History(("a", "b"), 60.0, np.ones((10, 2, 2)), start_s=86_400.0)
    log = table(
        tmp_path / "log.csv",
        "start,end,label",
        "30,90,attack",
        "2026-01-06T00:05:00,2026-01-06T00:07:00,peak",
    )
    labels = labelled(history, log).labels
    assert labels == ("attack", "attack", "", "", "", "peak", "peak", "", "", "")
    bad = table(tmp_path / "bad.csv", "start,end,label", "90,30,attack")
    with pytest.raises(HistoryError, match=r"bad\.csv:2"):
        labelled(history, bad)
    dated = replace(history, unix_s=1_767_657_600.0)  # 2026-01-06 00:00
    assert labelled(dated, log).labels == labels
    fortnight = History(("a", "b"), 3600.0, np.ones((14 * 24, 2, 2)))
    with pytest.raises(HistoryError, match=r"log\.csv:3: of a history longer than a week"):
        labelled(fortnight, log)


def test_dates_are_told_apart_in_histories_longer_than_a_week(tmp_path: Path) -> None:
    stored = tmp_path / "fortnight.npz"
    np.savez(stored, tm_kbps=np.ones((14 * 24, 2, 2)), step_s=3600, t0="2026-01-05T00:00")
    events = ("2026-01-07T10:00,2026-01-07T12:00,peak", "2026-01-14T10:00,2026-01-14T11:30,attack")
    log = table(tmp_path / "log.csv", "start,end,label", *events)
    second_week = read_history(stored).part(7 * 24, 14 * 24)
    whole = labelled(read_history(stored), log)
    assert [step for step, label in enumerate(whole.labels) if label] == [58, 59, 226, 227]
    write_npz(whole, tmp_path / "again.npz")
    assert read_history(tmp_path / "again.npz").unix_s == whole.unix_s
    outside = table(tmp_path / "early.csv", "start,end,label", events[0])
    with pytest.raises(HistoryError, match=r"early\.csv:2: not within the history"):
        labelled(second_week, outside)
    late = table(tmp_path / "late.csv", "start,end,label", events[1])
    labels = labelled(second_week, late).labels
    assert [step for step, label in enumerate(labels) if label] == [58, 59]
    seconds = table(tmp_path / "seconds.csv", "start,end,label", "1100000,1101000,peak")
    labels = labelled(read_history(stored), seconds).labels
    assert [step for step, label in enumerate(labels) if label] == [305]


def test_a_time_that_is_no_date_is_told(tmp_path: Path) -> None:
    stored = tmp_path / "far.npz"
    np.savez(stored, tm_kbps=np.ones((3, 2, 2)), unix_s=1e15)
    with pytest.raises(HistoryError, match=r"far\.npz: .*unix_s is 1000000000000000.0, no date"):
        read_history(stored)
    rows = ("1000000000000000,a,b,1", "1000000000000060,a,b,2")
    assert (
        read_history(table(tmp_path / "far.csv", "time,source,target,rate_bps", *rows)).unix_s
        is None
    )


def test_every_source_with_a_date_keeps_it(tmp_path: Path) -> None:
    header = "time,source,target,rate_bps"
    lines = ("2026-01-05T00:00,a,b,1", "2026-01-05T01:00,a,b,2")
    assert read_history(table(tmp_path / "d.csv", header, *lines)).unix_s == 1_767_571_200.0
    undated = table(tmp_path / "s.csv", header, "0,a,b,1", "60,a,b,2")
    assert read_history(undated).unix_s is None


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    matrices_bps = 8.0 * np.arange(48.0).reshape(12, 2, 2) * (1 - np.eye(2))
    matrices_bps[3, 0, 1] = np.nan
    history = History(("x", "y"), 2.0, matrices_bps, 5.0, ("attack",) * 12)
    write_npz(history, tmp_path / "h.npz")
    read = read_history(tmp_path / "h.npz")
    np.testing.assert_allclose(read.matrices_bps, matrices_bps, rtol=1e-15)
    assert (read.hosts, read.step_s, read.start_s) == (history.hosts, 2.0, 5.0)
    assert read.labels == history.labels


def test_a_history_that_is_not_written_to_its_end_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "only-copy.npz"
    history = History(("a", "b"), 60.0, np.ones((9, 2, 2)))
    write_npz(history, file)
    before = file.read_bytes()

    def interrupted(out: BinaryIO, **_: object) -> None:
        out.write(b"PK")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_npz(history, file)
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


def test_any_format_fits_a_topology(tmp_path: Path) -> None:
    triangle = load_topology("triangle")
    names = [host.label for host in reversed(triangle.hosts)]
    lines = [
        f"{300 * step},{source},{target},{step + 1}"
        for step in range(60)
        for source in names
        for target in names
        if source != target and step != 30
    ]
    file = table(tmp_path / "t.csv", "time,source,target,rate_bps", *lines)
    history = load_history(file, triangle)
    assert history.hosts == tuple(host.name for host in triangle.hosts)
    np.testing.assert_array_equal(history.rates_bps[29:32, 0], [30, 31, 32])

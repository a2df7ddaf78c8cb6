from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from recorded_run import RecordedRun, triangle

from cli import report
from cli.errors import UserError
from results.axes import nice_step
from results.charts import Bar, Marker, Series, bar_chart, line_chart


def recorded(policy: str, playbook: str = "network-failure") -> RecordedRun:
    matrices = np.zeros((20, 3, 3))
    matrices[:, 0, 1] = matrices[:, 1, 0] = 4e6
    return RecordedRun(
        triangle(),
        matrices,
        policy=policy,
        playbook=playbook,
        failure=(8.0, ("a", "b")),
        flood=(12.0, 18.0, ("hc", "hb"), 9e6),
        reroutes={10.0: {("ha", "hb"): ("a", "c", "b")}} if policy == "twin" else {},
        probed=[("ha", "hb")],
    )


def report_verb(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    report.add_arguments(parser)
    return report.run(parser.parse_args([str(word) for word in words]))


def test_the_page_of_a_run_stands_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = recorded("twin").write(tmp_path / "one")
    assert report_verb(run.path, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["policy"] == "twin"
    assert document["metrics"]["outage_ms"]["n"] == 1
    page = run.report.read_text()
    assert not re.search(r"(src|href)=|@import|url\(|<script", page)
    for text in ("A – B down", "flood on B", "alarm for B", "Outages", "Fidelity", "6 of 6 paths"):
        assert text in page
    for text in ("model against probes", "forecast against ports", "Age of the newest counter"):
        assert text in page
    for drawn in ("Gains of the decisions", "Accuracy of the forecast by link"):
        assert f'aria-label="{drawn}"' in page
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(drawing)


def test_two_runs_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = recorded("shortest-path").write(tmp_path / "before")
    after = recorded("twin").write(tmp_path / "after")
    page = tmp_path / "both.html"
    assert report_verb(before.path, after.path, "--out", page) == 0
    assert "outage, median" in capsys.readouterr().out
    assert "twin</h1>" not in page.read_text()
    assert "the paper, Table II" in page.read_text()
    assert before.summary.exists()
    assert after.report.exists()


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    run = recorded("<script>alert(1)</script>").write(tmp_path / "one")
    report_verb(run.path)
    assert "<script" not in run.report.read_text()


def test_a_run_that_died_at_once_still_has_a_page(tmp_path: Path) -> None:
    run = recorded("twin").write(tmp_path / "one")
    for path in run.path.glob("*.jsonl"):
        path.unlink()
    assert report_verb(run.path) == 0
    assert "the run ended before anything was measured" in run.report.read_text()


def test_a_run_from_before_the_idle_check_still_has_a_page(tmp_path: Path) -> None:
    run = recorded("twin").write(tmp_path / "one")
    for path in (run.idle, run.links):
        path.unlink()
    manifest = json.loads(run.manifest.read_text())
    del manifest["bounds"]
    run.manifest.write_text(json.dumps(manifest))
    assert report_verb(run.path) == 0
    summary = json.loads(run.summary.read_text())
    assert summary["verdict"] == "valid"
    assert "idle.jsonl is missing" in summary["details"]["notes"]
    page = run.report.read_text()
    assert "senders started late" in page
    assert "Links checked idle" not in page


def test_a_wrong_directory_is_one_clear_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run directory") as error:
        report_verb(tmp_path)
    assert error.value.exit_code == 2


def test_runs_of_different_playbooks_are_not_compared(tmp_path: Path) -> None:
    one = recorded("twin", "one").write(tmp_path / "one")
    other = recorded("twin", "other").write(tmp_path / "other")
    with pytest.raises(UserError, match="no playbook on both sides"):
        report_verb(one.path, other.path)


def test_an_unwritable_page_is_one_clear_message(tmp_path: Path) -> None:
    run = recorded("twin").write(tmp_path / "one")
    with pytest.raises(UserError, match="cannot be written"):
        report_verb(run.path, "--out", tmp_path / "missing" / "page.html")


def test_holes_break_a_line() -> None:
    series = Series("x", [1.0, 2.0, None, 3.0], "a")
    chart = line_chart([series], 1.0, "ms", [Marker(1.0, "a & b")])
    (path,) = re.findall(r'<path class="line a" d="([^"]*)"', chart)
    assert path.count("M") == 2
    assert "a &amp; b" in chart
    ElementTree.fromstring(chart)


def test_nothing_to_draw_draws_nothing() -> None:
    assert line_chart([], 1.0, "ms") == ""
    assert line_chart([Series("x", [None, None], "a")], 1.0, "ms") == ""
    assert bar_chart([], "ms", "nothing") == ""


def test_flat_and_zero_series_can_be_drawn() -> None:
    ElementTree.fromstring(line_chart([Series("x", [0.0, 0.0], "a")], 1.0, "ms"))
    bar = Bar("p", 0.0, 0.0, open_ended=True, text="0")
    ElementTree.fromstring(bar_chart([bar], "ms", "outages"))


@pytest.mark.parametrize(
    ("least", "step"), [(0.7, 1.0), (1.0, 1.0), (1.1, 2.0), (30.0, 50.0), (0.06, 0.1)]
)
def test_steps_are_round(least: float, step: float) -> None:
    assert nice_step(least) == pytest.approx(step)

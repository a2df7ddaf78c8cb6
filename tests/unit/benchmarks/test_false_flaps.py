from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmarks.false_flaps import (
    Flaps,
    _dead_sessions,
    _full_links,
    _moments,
    judge,
    refuse_invalid,
)
from controller.messages import LinkState
from playbooks.schema import load_playbook
from results.timeline import Window
from testbed.reference.errors import MeasurementError


def test_only_dead_sessions_under_traffic_count() -> None:
    news = [
        LinkState(
            t_s=9.0, datapath="s1", neighbour="s2", up=False, cause="bfd"
        ),  # before the traffic
        LinkState(t_s=11.0, datapath="s1", neighbour="s2", up=False, cause="bfd"),
        LinkState(t_s=11.2, datapath="s1", neighbour="s2", up=True),
        LinkState(t_s=12.0, datapath="s1", neighbour="s2", up=False, cause="carrier"),
        LinkState(t_s=20.0, datapath="s1", neighbour="s2", up=False, cause="bfd"),  # after it
    ]
    assert list(_dead_sessions(news, Window(10.0, 20.0))) == [1.0]


def test_reports_that_come_together_are_one_moment() -> None:
    assert list(_moments([1.0, 1.1, 1.9, 5.0, 5.5])) == [1.0, 5.0]
    assert list(_moments([])) == []


def test_what_could_not_be_measured_is_unmet() -> None:
    assert not judge(None).targets[0].met
    assert judge(Flaps(30.0, 0, (), "valid")).targets[0].met
    assert not judge(Flaps(30.0, 2, (7.0,), "valid")).targets[0].met


def test_an_invalid_run_is_no_result_and_says_why() -> None:
    flaps = Flaps(30.0, 0, (), "invalid", ("the processors were over 97 % busy",))
    with pytest.raises(MeasurementError, match=r"over 97 % busy.*0 reports"):
        refuse_invalid(flaps)
    assert refuse_invalid(Flaps(30.0, 1, (2.0,), "degraded")).reports == 1


def test_its_playbook_is_one(tmp_path: Path) -> None:
    file = tmp_path / "full-links.yaml"
    file.write_text(yaml.safe_dump(_full_links("leaf-spine", 30.0)))
    assert load_playbook(file).traffic.duration_s == 30 * 60

"""What a network without a controller cannot do is refused; what it does not heed is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from playbooks import preparation
from playbooks.mode_checks import ModeError, check_mode, heeded, notes
from playbooks.preparation import MissingProgramError, check_programs
from playbooks.schema import load_playbook
from topologies.documents import DocumentError
from topologies.model import Policy

PLAYBOOK = """\
name: one
title: One
topology: {use: triangle}
routing: {protection: bfd}
traffic: {kind: normal, interval_s: 2, steps: 4, shortest_path_mlu: 0.5}
timeline:
  - {at_s: 2, do: controller-crash, for_s: 1}
  - {at_s: 2, do: twin-crash, for_s: 1}
  - {at_s: 3, do: control-outage, switch: s1, for_s: 1}
  - {at_s: 4, do: link-down, link: busiest}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "one.yaml"
    path.write_text(PLAYBOOK)
    return path


def test_protection_is_refused_where_it_stands(file: Path) -> None:
    playbook = load_playbook(file)
    with pytest.raises(DocumentError, match="--protection none") as refused:
        check_mode("ospf", file, playbook, playbook.network(), None)
    (problem,) = refused.value.problems
    assert problem.line == 4
    with pytest.raises(ModeError, match="leave it out"):
        check_mode("ospf", file, playbook, playbook.network(), "bfd")


def test_a_network_with_policies_is_refused(file: Path) -> None:
    file.write_text(PLAYBOOK.replace("bfd", "none"))
    playbook = load_playbook(file)
    network = playbook.network()
    check_mode("spanning-tree", file, playbook, network, None)
    policed = replace(network, policies=(Policy("h1", "h2", deny=True),))
    with pytest.raises(DocumentError, match="policies") as refused:
        check_mode("spanning-tree", file, playbook, policed, None)
    assert refused.value.problems[0].line == 3


def test_what_befalls_controller_and_twin_is_left_out_and_told(file: Path) -> None:
    playbook = load_playbook(file)
    assert [event.do for event in heeded(playbook.timeline)] == ["link-down"]
    told = list(notes("ospf", playbook))
    assert any("controller-crash at 2 s" in note for note in told)
    assert any("twin-crash at 2 s does nothing: there is no twin" in note for note in told)
    assert any("control-outage at 3 s" in note for note in told)
    assert any("IPv6" in note for note in told)
    assert not any("IPv6" in note for note in notes("spanning-tree", playbook))


def test_what_is_missing_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "missing_programs", lambda _mode: ("zebra",))
    with pytest.raises(MissingProgramError, match=r"zebra.* apt-get install .*frr"):
        check_programs("ospf")

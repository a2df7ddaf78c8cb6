from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import yaml

from playbooks.fidelity import FidelitySection
from playbooks.schema import dump_playbook, load_playbook
from results.bounds import Bound, Bounds

PLAYBOOK = """
name: bounded
title: Bounds of its own
topology: {use: triangle}
traffic: {kind: normal, interval_s: 2, steps: 4, shortest_path_mlu: 0.5}
fidelity:
  idle_link_error_ms: {degraded: 0.3}
  lateness_p99_ms: {invalid: 0.7}
"""


def test_every_measure_can_be_bounded() -> None:
    assert FidelitySection().bounds() == Bounds()
    assert set(FidelitySection.model_fields) == {
        field.name for field in msgspec.structs.fields(Bounds)
    }


def test_what_is_not_given_keeps_its_default_or_is_tightened_along(tmp_path: Path) -> None:
    file = tmp_path / "playbook.yaml"
    file.write_text(PLAYBOOK)
    playbook = load_playbook(file)
    assert playbook.fidelity.bounds() == msgspec.structs.replace(
        Bounds(), idle_link_error_ms=Bound(0.3, 2.0), lateness_p99_ms=Bound(0.7, 0.7)
    )
    resolved = yaml.safe_load(dump_playbook(playbook))["fidelity"]
    assert resolved["idle_link_error_ms"] == {"degraded": 0.3, "invalid": 2.0}
    assert resolved["unsent_percent"] == {"degraded": 2.0, "invalid": 5.0}
    file.write_text(dump_playbook(playbook))
    assert load_playbook(file) == playbook


@pytest.mark.parametrize("field", msgspec.structs.fields(Bounds))
def test_the_defaults_are_in_order(field: msgspec.structs.FieldInfo) -> None:
    assert 0.0 < field.default.degraded < field.default.invalid

from __future__ import annotations

import pytest

from controller.retries import Retries

LACKING = {"s1": "refused an entry (X)"}


def test_a_switch_is_tried_again_once_in_a_row(caplog: pytest.LogCaptureFixture) -> None:
    retries = Retries()
    assert retries.due(LACKING) == ["s1"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert retries.due(LACKING) == retries.due(LACKING) == []
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
    assert retries.due({}) == []
    assert retries.due(LACKING) == ["s1"]


def test_a_switch_that_connects_anew_is_tried_again() -> None:
    retries = Retries()
    retries.due(LACKING)
    retries.forget("s1")
    retries.forget("s2")
    assert retries.due(LACKING) == ["s1"]

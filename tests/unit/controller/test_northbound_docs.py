"""The examples of docs/northbound.md are messages, and every message has one."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import get_args

import msgspec

from controller.messages import FromClient, FromController

DOCUMENT = Path(__file__).parents[3] / "docs" / "northbound.md"


def test_every_message_has_an_example_that_says_all_its_fields() -> None:
    lines = re.findall(r"^    (\{.*\})$", DOCUMENT.read_text(), re.MULTILINE)
    kinds = set()
    for line in lines:
        message = msgspec.json.decode(line, type=FromController | FromClient)
        assert msgspec.json.encode(message).decode() == line
        kinds.add(type(message))
    assert kinds == {*get_args(FromController), *get_args(FromClient)}


def test_every_message_has_a_section_of_its_own() -> None:
    titles = re.findall(r"^### (.*)$", DOCUMENT.read_text(), re.MULTILINE)
    named = [name for title in titles for name in re.findall(r"`([a-z-]+)`", title)]
    tags = [kind.__struct_config__.tag for kind in get_args(FromController | FromClient)]
    assert sorted(named) == sorted(tags)


def test_the_client_by_hand_is_short_and_needs_nothing() -> None:
    by_hand, _ = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    compile(by_hand, str(DOCUMENT), "exec")
    assert len(by_hand.splitlines()) <= 20
    imported = set(re.findall(r"^import (\w+)$|^from (\w+)", by_hand, re.MULTILINE))
    assert {name for names in imported for name in names if name} <= sys.stdlib_module_names


def test_the_example_client_is_python() -> None:
    *_, code = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, str(DOCUMENT), "exec"), names)
    assert callable(names["protect"])

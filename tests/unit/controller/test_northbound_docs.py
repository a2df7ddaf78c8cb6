"""The examples of docs/northbound.md are messages, and every message has one."""

from __future__ import annotations

import re
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


def test_the_example_client_is_python() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, str(DOCUMENT), "exec"), names)
    assert callable(names["protect"])

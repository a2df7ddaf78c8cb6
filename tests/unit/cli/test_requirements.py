import re
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
LOCK = (CHECKOUT / "requirements/lock.txt").read_text().splitlines()

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYPROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
DIRECT = [
    *PYPROJECT["project"]["dependencies"],
    *PYPROJECT["project"]["optional-dependencies"]["dev"],
]


def test_every_line_is_one_pinned_package() -> None:
    line = re.compile(r"[a-z0-9][a-z0-9-]*==[0-9][\w.]*( ; [\w .'<>=()!*]+)?")
    assert [wrong for wrong in LOCK if not line.fullmatch(wrong)] == []


@pytest.mark.parametrize("requirement", DIRECT)
def test_what_the_project_asks_for_is_locked(requirement: str) -> None:
    name, _, version = requirement.partition("==")
    pinned = [line.split(" ")[0] for line in LOCK if line.startswith(f"{name.lower()}==")]
    assert pinned, "lock.txt is out of date: see requirements/README.md"
    assert not version or pinned == [requirement]


def test_no_cuda() -> None:
    assert [line for line in LOCK if re.match(r"nvidia|cuda|triton", line)] == []

"""Imports point one way: down the floors of docs/architecture.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = (
    {"topologies"},
    {"testbed"},
    {"controller"},
    {"twin", "generators"},
    {"results"},
    {"playbooks"},
    {"cli"},
)
PACKAGES = {package for floor in FLOORS for package in floor}


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_a_package_imports_only_from_below(package: str) -> None:
    level = next(number for number, floor in enumerate(FLOORS) if package in floor)
    allowed = {package}.union(*FLOORS[:level])
    for file in (ROOT / package).rglob("*.py"):
        for module in imports(file):
            top = module.partition(".")[0]
            assert top not in PACKAGES or top in allowed, f"{file.relative_to(ROOT)}: {module}"


@pytest.mark.parametrize("package", ["twin", "generators", "results", "topologies"])
def test_those_that_need_no_lab_know_neither_mininet_nor_ryu(package: str) -> None:
    for file in (ROOT / package).rglob("*.py"):
        for module in imports(file):
            assert module.partition(".")[0] not in {"mininet", "ryu", "os_ken"}, str(file)

"""Run the project's own tests: those without privilege, then real labs.

Words that are not known here go to pytest: `twinbed test -x -k sandbox`; `twinbed test --unit
--help` lists them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
_UNIT = ("tests/unit",)
_ALL = ("tests/unit", "tests/kernel", "tests/lab")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--unit", action="store_true", help="only the tests that need no privilege and no network"
    )
    parser.set_defaults(passed_on=())


def run(arguments: argparse.Namespace) -> int:
    """Run pytest; 0 when every test passed, else 1.

    Raises:
        KeyboardInterrupt: it was interrupted.
    """
    os.chdir(CHECKOUT)
    suites = _UNIT if arguments.unit else _ALL
    if not arguments.unit and not _names_tests(arguments.passed_on):
        subprocess.run(["bash", "requirements/for-tests"], check=False)
    watch = _Watch()
    ended = pytest.main(pytest_words(suites, arguments.passed_on), plugins=[watch])
    if watch.interrupted:
        raise KeyboardInterrupt
    return 0 if ended == 0 else 1


class _Watch:
    """Tells Ctrl-C from errors in collecting tests, of which pytest says the same in the end."""

    interrupted = False

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.interrupted = excinfo.type is KeyboardInterrupt


def pytest_words(suites: Sequence[str], passed_on: Sequence[str]) -> list[str]:
    """What pytest is called with: the suites that exist, unless tests were named."""
    if _names_tests(passed_on):
        return list(passed_on)
    return [suite for suite in suites if (CHECKOUT / suite).is_dir()] + list(passed_on)


def _names_tests(words: Sequence[str]) -> bool:
    return any(word.startswith("tests/") for word in words)

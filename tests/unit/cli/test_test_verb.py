import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.test import CHECKOUT, pytest_words


def test_runs_the_suites_that_exist() -> None:
    words = pytest_words(["tests/unit", "tests/no-such-suite"], ["-x"])
    assert words == ["tests/unit", "-x"]


def test_named_tests_replace_the_suites() -> None:
    named = ["-v", "tests/unit/cli/test_main.py"]
    assert pytest_words(["tests/unit", "tests/lab"], named) == named


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", "test", "-p", "no:cacheprovider", *words]
    environment = {"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)


def test_works_from_any_folder_and_ends_with_the_summary(tmp_path: Path) -> None:
    answer = run("tests/unit/cli/test_test_verb.py", "-k", "named", folder=tmp_path)
    assert answer.returncode == 0
    assert "1 passed" in answer.stdout.splitlines()[-1]


def test_help_asked_for_after_other_words_is_that_of_pytest(tmp_path: Path) -> None:
    answer = run("--unit", "--help", folder=tmp_path)
    assert answer.returncode == 0
    assert "usage: twinbed test" not in answer.stdout
    assert "--maxfail" in answer.stdout


@pytest.mark.parametrize(
    ("content", "code"),
    [("def test_it():\n    raise KeyboardInterrupt\n", 130), ("raise ValueError\n", 1)],
)
def test_ctrl_c_ends_with_130_and_what_cannot_be_collected_with_1(
    content: str, code: int, tmp_path: Path
) -> None:
    test = tmp_path / "test_it.py"
    test.write_text(content)
    named = f"tests/{os.path.relpath(test, CHECKOUT / 'tests')}"
    assert run(named, folder=tmp_path).returncode == code


def test_no_test_is_a_failure(tmp_path: Path) -> None:
    answer = run("tests/unit/cli/test_test_verb.py", "-k", "no_such_test", folder=tmp_path)
    assert answer.returncode == 1

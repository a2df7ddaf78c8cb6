"""The shell entry, with a set-up that only notes that it was called."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]

SET_UP = """#!/bin/sh
set -e
root=$(dirname "$(dirname "$0")")
echo set-up >&2
mkdir -p "$root/.venv/bin"
printf '#!/bin/sh\\necho "$$:$*"\\n' >"$root/.venv/bin/twinbed"
chmod +x "$root/.venv/bin/twinbed"
bash "$root/requirements/fingerprint" >"$root/.venv/stamp"
"""

pytestmark = pytest.mark.skipif(
    any(
        shutil.which(line.split()[0], path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None
        for line in (CHECKOUT / "requirements/system.txt").read_text().splitlines()
    ),
    reason="the fast path needs the commands of a lab: ./twinbed doctor",
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "a checkout"
    shutil.copytree(CHECKOUT / "requirements", root / "requirements")
    shutil.copy(CHECKOUT / "twinbed", root)
    shutil.copy(CHECKOUT / "pyproject.toml", root)
    (root / "requirements/set-up").write_text(SET_UP)
    return root


def call(entry: Path, *words: str, folder: str = "/") -> tuple[int, str, str]:
    process = subprocess.Popen(
        [entry, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
    )
    output, errors = process.communicate(timeout=30)
    return process.pid, output, errors


def test_sets_up_once_and_becomes_the_command(checkout: Path) -> None:
    pid, output, errors = call(checkout / "twinbed", "run", "a b")
    assert errors == "set-up\n"
    assert output == f"{pid}:run a b\n", "same process: who kills the entry kills the command"
    pid, output, errors = call(checkout / "twinbed", "ps")
    assert errors == ""
    assert output == f"{pid}:ps\n"


def test_works_through_a_link(checkout: Path, tmp_path: Path) -> None:
    call(checkout / "twinbed")
    link = tmp_path / "tb"
    link.symlink_to(checkout / "twinbed")
    pid, output, errors = call(link, "ps", folder=str(tmp_path))
    assert (output, errors) == (f"{pid}:ps\n", "")


@pytest.mark.parametrize("changed", ["requirements/lock.txt", "pyproject.toml"])
def test_sets_up_again_when_packages_change(checkout: Path, changed: str) -> None:
    call(checkout / "twinbed")
    with (checkout / changed).open("a") as file:
        file.write("# changed\n")
    assert call(checkout / "twinbed")[2] == "set-up\n"


def test_sets_up_again_where_it_was_moved_to(checkout: Path) -> None:
    call(checkout / "twinbed")
    moved = checkout.rename(checkout.with_name("moved"))
    assert call(moved / "twinbed")[2] == "set-up\n"


def test_sets_up_again_when_a_command_is_missing(checkout: Path) -> None:
    call(checkout / "twinbed")
    with (checkout / "requirements/system.txt").open("a") as file:
        file.write("no-such-command no-such-package\n")
    assert call(checkout / "twinbed")[2] == "set-up\n"
    assert call(checkout / "twinbed")[2] == "set-up\n"


def test_a_failed_set_up_starts_nothing(checkout: Path) -> None:
    (checkout / "requirements/set-up").write_text("echo no room >&2; exit 3\n")
    answer = subprocess.run([checkout / "twinbed", "ps"], capture_output=True, text=True)
    assert (answer.returncode, answer.stdout, answer.stderr) == (3, "", "no room\n")

from __future__ import annotations

import sys
import time
from pathlib import Path

from testbed.attempt import Finding, attempt


def test_what_works_says_what_it_saw_last() -> None:
    assert attempt(["sh", "-c", "echo one; echo two; echo"]) == Finding(True, found="two")


def test_a_failure_is_told_in_the_last_words_of_the_tool() -> None:
    script = "echo noise; echo first >&2; echo 'no such thing' >&2; exit 2"
    assert attempt(["sh", "-c", script]) == Finding(False, "no such thing")
    assert attempt(["sh", "-c", "exit 7"]) == Finding(False, "exit code 7")


def test_a_command_that_is_not_there_is_a_finding() -> None:
    finding = attempt(["no-such-command-here"])
    assert finding == Finding(False, "no-such-command-here: No such file or directory")


def test_output_need_not_be_text() -> None:
    assert attempt(["printf", r"\377"]).available


def test_a_hung_tool_is_ended_with_what_it_started(tmp_path: Path) -> None:
    script = f"sleep 3600 & echo $! >{tmp_path / 'pid'}; wait"
    finding = attempt(["sh", "-c", script], timeout_s=0.5)
    assert finding == Finding(False, "no answer within 0.5 s")
    child = Path("/proc") / (tmp_path / "pid").read_text().strip() / "cmdline"
    deadline_s = time.monotonic() + 10
    # Gone, or a zombie that nobody has waited for.
    while child.exists() and child.read_bytes():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_module_in_the_users_folder_does_not_take_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise SystemExit(1)")
    script = f"cd {tmp_path} && exec {sys.executable} -c 'import rich'"
    if sys.version_info >= (3, 11):  # PYTHONSAFEPATH came with it
        assert attempt(["sh", "-c", script]).available

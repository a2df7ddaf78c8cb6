"""Labs in the process table, with the processes a real lab has: only namespaces are left out."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from cli import ps
from cli.errors import UserError
from cli.main import main
from cli.stop import choose
from results.run_directory import Manifest, RunDirectory
from testbed.labs import RunningLab, running_labs, stop
from testbed.sandbox import RUN_DIR_VARIABLE

COMMAND = """
import os, signal, subprocess, sys
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(
    ["setpriv", "--pdeathsig", "KILL", "unshare", "--fork", "--kill-child",
     "sh", "-c", "echo ready; read never"],
    stdin=subprocess.PIPE,
    env={**os.environ, "RUN_DIR_VARIABLE": sys.argv[1]},
)
signal.pause()
""".replace("RUN_DIR_VARIABLE", RUN_DIR_VARIABLE)

StartLab = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start_lab(tmp_path: Path) -> Iterator[StartLab]:
    commands: list[subprocess.Popen[str]] = []

    def start(run_id: str, kind: str = "obedient") -> subprocess.Popen[str]:
        command = subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(tmp_path / run_id), kind],
            stdout=subprocess.PIPE,
            text=True,
        )
        commands.append(command)
        assert command.stdout is not None
        assert command.stdout.readline() == "ready\n"
        return command

    yield start
    for command in commands:
        command.kill()
        command.wait()
        assert command.stdout is not None
        command.stdout.close()


def labs_below(folder: Path) -> list[RunningLab]:
    """The labs of this test: others may be running on the machine."""
    return [lab for lab in running_labs() if lab.run_dir.parent == folder]


def has_ended(pid: int) -> bool:
    """Gone, or waiting for init to take note."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_finds_labs_by_their_sandbox(start_lab: StartLab, tmp_path: Path) -> None:
    first, second = start_lab("first"), start_lab("second")
    labs = labs_below(tmp_path)
    assert [(lab.run_id, lab.pid) for lab in labs] == [
        ("first", first.pid),
        ("second", second.pid),
    ]
    assert all(abs(time.time() - lab.started_s) < 30 for lab in labs)


def test_stop_ends_command_and_sandbox(start_lab: StartLab, tmp_path: Path) -> None:
    command = start_lab("lab")
    (lab,) = labs_below(tmp_path)
    assert stop(lab)
    assert command.wait(timeout=10) == -signal.SIGTERM
    assert not labs_below(tmp_path)
    assert has_ended(lab.sandbox_pid)
    assert stop(lab), "stopping twice is no error"


def test_stop_kills_what_does_not_listen(start_lab: StartLab, tmp_path: Path) -> None:
    command = start_lab("lab", "deaf")
    (lab,) = labs_below(tmp_path)
    assert not stop(lab, timeout_s=0.2)
    assert command.wait(timeout=10) == -signal.SIGKILL
    assert not labs_below(tmp_path)


def test_an_orphaned_sandbox_never_names_its_new_parent(tmp_path: Path) -> None:
    """Without a command, ending a lab must not end init or the user's session."""
    script = 'unshare --fork --kill-child sh -c "echo ready; read never" & echo $!'
    launcher = subprocess.Popen(
        ["sh", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, RUN_DIR_VARIABLE: str(tmp_path / "orphan")},
    )
    launcher.wait()
    assert launcher.stdout is not None
    readable, _, _ = select.select([launcher.stdout], [], [], 10)
    assert readable
    for lab in labs_below(tmp_path):
        assert lab.pid == lab.sandbox_pid
        assert stop(lab)
    launcher.stdout.close()


def test_ps_shows_what_the_manifest_says(
    start_lab: StartLab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = start_lab("20260101-high-load")
    directory = RunDirectory(tmp_path / "20260101-high-load")
    directory.path.mkdir()
    (lab,) = labs_below(tmp_path)
    assert ps.describe(lab, time.time())["playbook"] is None

    manifest = Manifest(
        run=lab.run_id,
        playbook="high-load",
        policy="twin",
        seed=1,
        started_at="2026-01-01T00:00:00Z",
        realtime_minus_monotonic_s=0.0,
        interval_s=1.0,
        backend="userspace",
        versions={},
    )
    directory.manifest.write_bytes(msgspec.json.encode(manifest))
    assert main(["ps", "--json"]) == 0
    rows = {row["run"]: row for row in json.loads(capsys.readouterr().out)["labs"]}
    assert rows[lab.run_id]["playbook"] == "high-load"
    assert rows[lab.run_id]["pid"] == command.pid
    assert main(["ps"]) == 0
    assert "high-load" in capsys.readouterr().out


def test_ps_shows_folders_with_brackets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = RunningLab("a-run", Path("/runs[/old]/a-run"), 10, 11, 0.0, "ann")
    monkeypatch.setattr(ps, "running_labs", lambda: [lab])
    assert main(["ps"]) == 0
    assert "/runs[/old]/a-run" in capsys.readouterr().out.replace("\n", "")


@pytest.mark.parametrize(
    ("age_s", "shown"),
    [(-1, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7500, "2 h 5 min")],
)
def test_ages(age_s: float, shown: str) -> None:
    assert ps.format_age(age_s) == shown


LAB = RunningLab("one", Path("/runs/one"), 10, 11, 0.0, "ann")
OTHER = RunningLab("two", Path("/runs/two"), 20, 21, 0.0, "ann")


def test_chooses_by_id_or_all() -> None:
    assert choose([LAB, OTHER], ["two"], everything=False) == [OTHER]
    assert choose([LAB, OTHER], ["two", "two"], everything=False) == [OTHER]
    assert choose([LAB, OTHER], [], everything=True) == [LAB, OTHER]
    assert choose([], [], everything=True) == []


@pytest.mark.parametrize(("ids", "everything"), [([], False), (["one"], True)])
def test_says_what_to_name(ids: list[str], everything: bool) -> None:
    with pytest.raises(UserError, match="--all"):
        choose([LAB], ids, everything=everything)


def test_an_unknown_id_gets_the_list() -> None:
    with pytest.raises(UserError, match="no such lab: three; running are: one, two"):
        choose([LAB, OTHER], ["three"], everything=False)
    with pytest.raises(UserError, match="no lab is running"):
        choose([], ["three"], everything=False)

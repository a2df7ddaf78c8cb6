import argparse
import os
import pty
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.errors import UserError
from cli.main import VERBS, main
from topologies.documents import DocumentError, Problem

CHECKOUT = Path(__file__).resolve().parents[3]
Behaviour = Callable[[argparse.Namespace], int]
Install = Callable[[Behaviour], None]


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a verb of the test's own in the place of `ps`."""

    def install(behaviour: Behaviour) -> None:
        module = types.ModuleType("cli.ps", "A verb for tests.")
        module.__dict__["add_arguments"] = lambda parser: parser.add_argument("--json")
        module.__dict__["run"] = behaviour
        monkeypatch.setitem(sys.modules, "cli.ps", module)

    return install


def raising(error: BaseException) -> Behaviour:
    def behaviour(_: argparse.Namespace) -> int:
        raise error

    return behaviour


def test_returns_the_exit_code_of_the_verb(verb: Install) -> None:
    verb(lambda arguments: 1 if arguments.json == "x" else 0)
    assert main(["ps", "--json", "x"]) == 1


def test_a_user_error_is_one_message(verb: Install, capsys: pytest.CaptureFixture[str]) -> None:
    verb(raising(UserError("no room on the disk: make some", exit_code=3)))
    assert main(["ps"]) == 3
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == "twinbed: no room on the disk: make some\n"


def test_every_problem_of_a_document_is_a_line(
    verb: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    problems = [
        Problem("a.yaml", 3, "links[0].rate", "must be above 0", "use Mbit/s"),
        Problem("a.yaml", 7, "", "is not known"),
    ]
    verb(raising(DocumentError(problems)))
    assert main(["ps"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "a.yaml:3" in first
    assert "use Mbit/s" in first
    assert "a.yaml:7" in second


def test_an_interrupt_is_one_line(verb: Install, capsys: pytest.CaptureFixture[str]) -> None:
    verb(raising(KeyboardInterrupt()))
    assert main(["ps"]) == 130
    assert len(capsys.readouterr().err.splitlines()) == 1


LONG_VERB = """
import sys, time, types
from pathlib import Path
from cli.main import main
from cli.output import messages
from cli.progress import RunProgress

def run(_):
    with RunProgress(messages).shown() as progress:
        progress.label("a long run")
        try:
            Path("begun").touch()
            time.sleep(60)
        except KeyboardInterrupt:
            Path("ending").touch()
            while not Path("told-again").exists():  # it analyses
                time.sleep(0.01)
            Path("ended").touch()
            raise

module = types.ModuleType("cli.ps", "A verb for tests.")
module.add_arguments, module.run = lambda parser: None, run
sys.modules["cli.ps"] = module
sys.exit(main(["ps"]))
"""


def await_file(path: Path) -> None:
    deadline_s = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def hear_sighup() -> None:
    """Though these tests may run under nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (signal.SIGTERM, signal.SIGTERM),
        (signal.SIGHUP, signal.SIGHUP),  # as a shell does that goes down
        (signal.SIGTERM, signal.SIGHUP),  # as a session does
    ],
)
def test_who_ends_a_command_from_outside_ends_it_as_ctrl_c_does(
    first: signal.Signals, second: signal.Signals, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", LONG_VERB]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_sighup,
    ) as process:
        await_file(tmp_path / "begun")
        process.send_signal(first)
        await_file(tmp_path / "ending")
        process.send_signal(second)
        (tmp_path / "told-again").touch()
        assert process.stderr is not None
        assert process.stderr.read().splitlines()[-1] == "twinbed: interrupted"
    assert process.returncode == 130
    assert (tmp_path / "ended").exists()


def test_a_session_that_drops_ends_a_command_in_order(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "TERM": "xterm"}
    process, terminal = pty.fork()
    if process == 0:
        hear_sighup()
        os.chdir(tmp_path)
        os.execve(sys.executable, [sys.executable, "-c", LONG_VERB], environment)
    (tmp_path / "told-again").touch()
    await_file(tmp_path / "begun")
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert (tmp_path / "ended").exists()


def test_what_was_to_be_ignored_still_is_and_all_is_put_back(verb: Install) -> None:
    def handlers() -> list[object]:
        return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)]

    seen: list[object] = []
    verb(lambda _: seen.extend(handlers()) or 0)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN), signal.getsignal(signal.SIGTERM)
    try:
        assert main(["ps"]) == 0
        assert handlers() == [before[1], signal.SIG_IGN]
    finally:
        signal.signal(signal.SIGHUP, before[0])
    assert callable(seen[0])
    assert seen[1] == signal.SIG_IGN


def test_a_defect_keeps_its_traceback(verb: Install, capsys: pytest.CaptureFixture[str]) -> None:
    verb(raising(ZeroDivisionError("a defect")))
    with pytest.raises(ZeroDivisionError):
        main(["ps"])
    assert "report it" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["no-such-verb"], ["ps", "--no-such-option"], ["ps", "--js"]])
def test_a_wrong_command_line_ends_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2


def test_no_words_print_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr().err
    assert all(name in shown for name in VERBS)


@pytest.mark.parametrize("name", VERBS)
def test_every_verb_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: twinbed {name}" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["--help"], ["ps"]])
def test_quick_verbs_load_nothing_heavy(words: list[str]) -> None:
    program = f"""
import sys
from cli.main import main
try:
    main({words!r})
except SystemExit:
    pass
print(sorted({{"torch", "scipy", "ryu", "mininet", "pydantic"}} & set(sys.modules)))
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert answer.stdout.splitlines()[-1] == "[]"


def test_a_reader_that_leaves_early_is_no_error() -> None:
    # `true` never reads; the exit code printed is that of the first command of the pipe.
    script = '"$0" -m cli --help | true; echo "${PIPESTATUS[0]}"'
    answer = subprocess.run(
        ["bash", "-c", script, sys.executable], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "0\n"
    assert answer.stderr == ""

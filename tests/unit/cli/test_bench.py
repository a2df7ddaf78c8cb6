"""`twinbed bench`: what it lists, measures and says, with a benchmark of the test's own."""

from __future__ import annotations

import argparse
import json
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.parts import CutShort
from benchmarks.report import NAMES, Interval, Machine, Report, Step
from cli.bench import document, figure, targets_markdown, targets_table, verdict
from cli.main import main
from generators.history import HistoryError
from playbooks.runner import Interrupted
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import Target, at_most

MACHINE = Machine(2, "6.1.0", "x86_64", "3.11.2", 0.1, "userspace")
MET, UNMET = at_most("delay [idle]", 0.5, 0.123456, "ms"), at_most("frames", 10, 12_345.6)
UNMEASURED = Target("rate", "to be measured", None, "", met=False)

Behaviour = Callable[[argparse.Namespace, Step], Report]
Install = Callable[[Behaviour], None]


def report(*targets: Target, **more: object) -> Report:
    rows = [{"what": "delay", "figures": {"mean_ms": 0.1}}]
    return Report("links", MACHINE, rows, targets, **more)  # type: ignore[arg-type]


def shown(of: Report) -> tuple[str, list[list[str]]]:
    """The title, and the words of every line from the headings on."""
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(targets_table(of))
    lines = [line.split() for line in capture.get().splitlines()]
    headings = next(number for number, words in enumerate(lines) if "target" in words)
    return " ".join(word for words in lines[:headings] for word in words), lines[headings:]


def test_what_others_reach_is_shown_without_a_target_too() -> None:
    beside = {"OSPF": {"outage": 20.0, "frames": 7.0}, "RSTP": {"outage": 3100.0}}
    intervals = {"outage, OSPF": Interval(17.0, None)}
    _, lines = shown(report(UNMET, beside=beside, intervals=intervals))
    assert lines[0] == ["target", "measured", "OSPF", "RSTP", "met"]
    assert lines[1] == ["frames", "<=", "10", "12,346", "7", "-", "no"]
    assert lines[2] == ["outage", "20", "(from", "17)", "3,100"]
    assert verdict(report(beside=beside)) == "nothing of this has a target"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a benchmark of the test's own in the place of `links`."""

    def put(behaviour: Behaviour) -> None:
        module = types.ModuleType("benchmarks.links")
        module.__dict__["add_arguments"] = lambda parser: parser.add_argument("--quick")
        module.__dict__["run"] = behaviour
        monkeypatch.setitem(sys.modules, "benchmarks.links", module)

    return put


@pytest.mark.parametrize(
    ("measured", "words"),
    [(None, "-"), (0.0, "0"), (0.123456, "0.123"), (99.96, "100"), (12_345.6, "12,346")],
)
def test_figures_are_short(measured: float | None, words: str) -> None:
    assert figure(measured) == words


def test_a_table_without_anything_beside_it() -> None:
    title, lines = shown(report(MET, UNMET, UNMEASURED))
    assert title == "links: 2 processors, Linux 6.1.0, userspace links"
    assert lines[0] == ["target", "measured", "met"]
    assert lines[1] == ["delay", "[idle]", "(ms)", "<=", "0.5", "0.123", "yes"]
    assert lines[2] == ["frames", "<=", "10", "12,346", "no"]
    assert lines[3][-2:] == ["-", "no"]


def test_a_table_with_something_beside_it() -> None:
    beside = {"plain veth": {"delay [idle]": 0.05}, "other": {"frames": 7.0}}
    _, lines = shown(report(MET, UNMET, beside=beside))
    assert lines[0] == ["target", "measured", "plain", "veth", "other", "met"]
    assert lines[1][-4:] == ["0.123", "0.05", "-", "yes"]
    assert lines[2][-4:] == ["12,346", "-", "7", "no"]


def test_the_verdict_counts_what_is_not_met_and_says_what_failed() -> None:
    assert verdict(report(MET)) == "all targets are met"
    assert "1 of 2 targets are not met" in verdict(report(MET, UNMET))
    failed = Report("links", MACHINE, [{"what": "TCP", "failed": "no iperf"}], [UNMEASURED])
    assert verdict(failed).splitlines()[0] == "TCP: no iperf"


def test_the_document_has_all_figures_and_targets() -> None:
    whole = document(report(MET, beside={"plain veth": {"delay [idle]": 0.05}}))
    keys = {"bench", "passed", "complete", "machine", "rows", "targets", "beside", "intervals"}
    assert set(whole) == keys
    assert whole["passed"] is True


def test_json_is_one_document(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install(lambda _arguments, _step: report(MET, UNMEASURED))
    assert main(["bench", "links", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["bench"] == "links"
    assert answer["passed"] is False
    assert answer["machine"]["backend"] == "userspace"
    assert answer["targets"] == [
        {
            "name": "delay [idle]",
            "target": "<= 0.5",
            "measured": 0.123456,
            "unit": "ms",
            "met": True,
        },
        {"name": "rate", "target": "to be measured", "measured": None, "unit": "", "met": False},
    ]


def test_what_was_measured_before_ctrl_c_is_shown(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    def behaviour(_arguments: argparse.Namespace, _step: Step) -> Report:
        raise CutShort(report(MET, complete=False))

    install(behaviour)
    assert main(["bench", "links", "--json"]) == 130
    answer = json.loads(capsys.readouterr().out)
    assert (answer["passed"], answer["complete"]) == (False, False)
    assert answer["rows"] == [{"what": "delay", "figures": {"mean_ms": 0.1}}]
    assert main(["bench", "links"]) == 130
    told = capsys.readouterr()
    assert "0.123" in told.out
    assert "links (interrupted)" in told.out
    assert "interrupted: this is what had been measured" in told.err


def test_words_go_to_the_benchmark(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[str] = []

    def behaviour(arguments: argparse.Namespace, step: Step) -> Report:
        seen.append(arguments.quick)
        step("measuring", None)
        return report(MET)

    install(behaviour)
    assert main(["bench", "links", "--quick", "very"]) == 0
    assert seen == ["very"]
    output = capsys.readouterr()
    assert "delay [idle]" in output.out
    assert "measuring" in output.err
    assert "all targets are met" in output.err


@pytest.mark.parametrize("words", [["links", "--help"], ["links", "--json", "-h"]])
def test_help_on_a_benchmark_is_its_own(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *words])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "usage: twinbed bench links [-h] [--quick]" in shown
    assert "\nLinks measured against what is configured, beside a plain veth pair.\n" in shown


def test_words_for_a_benchmark_without_its_name_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bench", "--quick"]) == 2
    assert "--quick: of which benchmark?" in capsys.readouterr().err
    assert main(["bench", "--json", "--help"]) == 0
    assert "twinbed bench links --quick" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code"),
    [(MeasurementError("no iperf"), 3), (HistoryError("no such file"), 2), (Interrupted(), 130)],
)
def test_what_went_wrong_is_one_message(
    install: Install, capsys: pytest.CaptureFixture[str], error: Exception, code: int
) -> None:
    def behaviour(_arguments: argparse.Namespace, _step: Step) -> Report:
        raise error

    install(behaviour)
    assert main(["bench", "links"]) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines()[-1] == f"twinbed: {error}" or code == 130


@pytest.mark.parametrize(
    "words", [["no-such-bench"], ["links", "--no-such-option"], ["seeds", "high-load", "one"]]
)
def test_unknown_words_end_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *words])
    assert ended.value.code == 2


def test_a_history_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "imputation", "--history", "no-such.npz"]) == 2
    assert "no-such.npz" in capsys.readouterr().err


def test_the_list_names_every_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in NAMES)
    assert main(["bench", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == dict(NAMES)


def test_the_table_may_go_into_a_document_with_its_intervals() -> None:
    intervals = {MET.name: Interval(0.1, None)}
    beside = {"plain": {UNMET.name: 7.0}}
    table = targets_markdown(report(MET, UNMET, intervals=intervals, beside=beside))
    assert table.splitlines() == [
        "links: 2 processors, Linux 6.1.0, userspace links:",
        "",
        "|  | target | measured | 95 % interval | plain | met |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
        "| delay [idle] (ms) | <= 0.5 | 0.123 | from 0.1 | - | yes |",
        "| frames | <= 10 | 12,346 | - | 7 | no |",
    ]


def test_the_table_is_written_to_the_file_that_is_asked_for(
    install: Install, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(lambda *_: report(MET))
    file = tmp_path / "table.md"
    assert main(["bench", "links", "--markdown", str(file)]) == 0
    assert "delay [idle] (ms) | <= 0.5 | 0.123 | yes |" in file.read_text()
    assert main(["bench", "links", "--markdown", str(tmp_path)]) == 2
    assert f"{tmp_path} cannot be written: Is a directory" in capsys.readouterr().err.replace(
        "\n", ""
    )

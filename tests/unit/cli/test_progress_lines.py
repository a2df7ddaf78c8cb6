"""What is said of progress where there is no terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from cli.output import messages
from cli.progress import RunProgress
from results.run_directory import Event


def test_without_a_terminal_every_step_is_one_line_however_often_it_moves() -> None:
    output = io.StringIO()
    progress = RunProgress(Console(file=output))
    progress.label("bench links")
    for description, fraction in (("making links", 0.0), ("making links", 0.5), ("pings", 0.6)):
        progress.step(description, fraction)
    assert output.getvalue().splitlines() == ["bench links", "  making links", "  pings"]


@pytest.mark.parametrize("on_a_terminal", [False, True])
def test_brackets_in_what_is_named_stay(on_a_terminal: bool) -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=on_a_terminal, width=100, color_system=None)
    progress = RunProgress(console)
    with progress.shown():
        progress.label("runs[/old]/x.yaml")
        progress.step("reading [/a]")
        progress.event(Event(t_s=0.0, event="problem", detail={"reason": "no [/b]"}))
        if on_a_terminal:
            progress._live.refresh()
    for named in ("runs[/old]/x.yaml", "no [/b]"):
        assert named in output.getvalue()


def test_messages_know_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    messages.print("report: runs[/old]/:car:/report.html", soft_wrap=True)
    assert capsys.readouterr().err == "report: runs[/old]/:car:/report.html\n"

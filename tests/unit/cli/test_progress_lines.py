"""What is said of progress where there is no terminal."""

from __future__ import annotations

import io

from rich.console import Console

from cli.progress import RunProgress


def test_without_a_terminal_every_step_is_one_line_however_often_it_moves() -> None:
    output = io.StringIO()
    progress = RunProgress(Console(file=output))
    progress.label("bench links")
    for description, fraction in (("making links", 0.0), ("making links", 0.5), ("pings", 0.6)):
        progress.step(description, fraction)
    assert output.getvalue().splitlines() == ["bench links", "  making links", "  pings"]

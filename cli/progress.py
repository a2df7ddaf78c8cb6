"""What a run is doing, live on standard error: a line with a bar; without a TTY, plain lines."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress_bar import ProgressBar
from rich.text import Text

from results.run_directory import Event

_WORDS: Mapping[str, str] = {
    "lab-starting": "lab starting",
    "converged": "all paths found after {after_s} s",
    "lab-ready": "lab ready, all routes confirmed",
    "traffic-start": "traffic",
    "measure-start": "measuring",
    "measure-end": "last packets",
    "traffic-end": "last packets",
    "lab-stopping": "lab stopping",
    "lab-stopped": "done",
    "interrupted": "interrupted",
    "link-down": "link {link} down",
    "link-up": "link {link} up again",
    "end-down": "link {link} down at {end} alone",
    "end-up": "link {link} up again at {end}",
    "silent-start": "link {link} silent",
    "silent-end": "link {link} carries again",
    "degrade-start": "link {link} gets worse",
    "degrade-end": "link {link} as good as before",
    "flap-down": "link {link} flaps: down",
    "flap-up": "link {link} flaps: up",
    "switch-crash": "switch {switch} crashed",
    "switch-restart": "switch {switch} started again",
    "host-crash": "host {host} crashed",
    "host-restart": "host {host} started again",
    "control-outage-start": "switch {switch} does not answer the controller",
    "control-outage-end": "switch {switch} answers again",
    "controller-crash": "controller killed",
    "controller-restart": "new controller started",
    "twin-crash": "twin killed",
    "twin-crash-end": "new twin started",
    "flood-start": "flood on {victim} from {sources}",
    "flood-end": "flood over",
    "problem": "problem: {reason}",
}


class _ClockBar(ProgressColumn):
    """A bar that the clock moves: the traffic takes as long as it takes."""

    def render(self, task: Task) -> ProgressBar | Text:
        duration_s, start_s = task.fields["duration_s"], task.fields["start_s"]
        if not duration_s:
            return BarColumn(bar_width=24).render(task)
        elapsed_s = min(max(time.monotonic() - start_s, 0.0), duration_s)
        return ProgressBar(total=duration_s, completed=elapsed_s, width=24)


class RunProgress:
    """Shows the steps of one run after another."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said = ""
        self._live = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[label]}", style="bold", markup=False),
            _ClockBar(),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._live.add_task("", total=None, label="", duration_s=0.0, start_s=0.0)

    @contextmanager
    def shown(self) -> Iterator[RunProgress]:
        """Show it while the block runs."""
        with self._live:
            yield self

    def label(self, label: str) -> None:
        """Name what all following steps belong to, e.g. "run 2 of 6: high-load, twin"."""
        self._live.update(self._task, label=label)
        if not self._console.is_terminal:
            self._console.print(label, highlight=False, markup=False)

    def step(self, description: str, fraction: float | None = None) -> None:
        """Say what is being done now, and how far it is, if that is known."""
        completed = 0 if fraction is None else fraction
        total = None if fraction is None else 1
        self._live.update(
            self._task, description=description, completed=completed, total=total, duration_s=0.0
        )
        if not self._console.is_terminal and description != self._said:
            self._console.print(f"  {description}", highlight=False, markup=False)
        self._said = description

    def event(self, event: Event) -> None:
        """Show what happens in the lab."""
        words = describe(event)
        if event.event == "traffic-start":
            timing = {"start_s": event.t_s, "duration_s": event.detail["duration_s"]}
            self._live.update(self._task, description=words, **timing)
        else:
            self._live.update(self._task, description=words)
        if not self._console.is_terminal:
            self._console.print(f"  {words}", highlight=False, markup=False)


def describe(event: Event) -> str:
    """An event in words."""
    detail = {name: _plain(value) for name, value in event.detail.items()}
    return _WORDS.get(event.event, event.event).format_map(detail)


def _plain(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)

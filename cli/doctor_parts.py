"""What `twinbed doctor` knows of each thing that a lab uses, and how it is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table

from testbed.attempt import Finding


@dataclass(frozen=True)
class Part:
    """One thing a lab uses."""

    name: str
    available: bool
    """It works; of a quality: it is good enough."""
    found: str
    """Its version or size; if it is missing, why."""
    required: bool
    """No lab can run without it."""
    instead: str = ""
    """What is used while it is missing; of a quality: what follows."""
    remedy: str = ""
    """How to get it."""
    quality: bool = False
    """It is there in any case, good or poor."""


def tried(
    name: str,
    finding: Finding,
    found: str = "",
    required: bool = False,
    instead: str = "",
    remedy: str = "",
) -> Part:
    """A part that was tried; `found` is what is said of it if it works."""
    shown = (found or finding.found) if finding.available else finding.reason
    return Part(name, finding.available, shown, required, instead, remedy)


def is_usable(parts: Sequence[Part]) -> bool:
    """Whether a lab can run at all."""
    return all(part.available for part in parts if part.required)


def parts_table(groups: Mapping[str, Sequence[Part]]) -> Table:
    """What is there, what is used instead of what is not, and how to get it."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for group, parts in groups.items():
        table.add_row(f"[bold]{group}[/]")
        for part in parts:
            table.add_row(f"  {_mark(part)}", part.name, escape("\n".join(_lines(part))))
    return table


def _mark(part: Part) -> str:
    if part.available:
        return "[green]ok[/]"
    if part.quality:
        return "[yellow]poor[/]"
    return "[red]missing[/]" if part.required else "[yellow]without[/]"


def _lines(part: Part) -> list[str]:
    if part.available:
        return [part.found]
    consequence, mend = ("meaning", "better") if part.quality else ("used instead", "to get it")
    lines = {consequence: part.instead, mend: part.remedy}
    return [part.found, *(f"{label}: {words}" for label, words in lines.items() if words)]

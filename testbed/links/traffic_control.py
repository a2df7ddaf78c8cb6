"""The kernel's interfaces and queueing disciplines: ip(8) and tc(8)."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterable
from typing import Any

from testbed.links.backend import LinkError

_MARK = {"ip": "link show dev lo", "tc": "actions list action gact"}
"""A command that shows something, be it an empty list."""


class Console:
    """An ip or tc process that takes commands, so that none waits for a process to start."""

    def __init__(self, program: str) -> None:
        self._program = program
        self._process = subprocess.Popen(
            [program, "-s", "-j", "-batch", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines_run = 0

    def run(self, commands: Iterable[str]) -> list[Any]:
        """Run the commands; return what each of those that `show` or `list` has shown.

        Raises:
            LinkError: one of them failed; the rest was not run, and nothing will be.
        """
        process, lines = self._process, [*commands, _MARK[self._program]]
        assert process.stdin is not None
        assert process.stdout is not None
        # Each shows one line of JSON, and is flushed; the mark's says that all is done.
        showing = sum(" show" in line or " list" in line for line in lines)
        try:
            process.stdin.write("".join(f"{line}\n" for line in lines))
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: it says why below
        shown = [line for line in itertools.islice(process.stdout, showing) if line.strip()]
        if len(shown) < showing:
            raise LinkError(f"{self._program}: {self._complaint(lines)}")
        self._lines_run += len(lines)
        return [json.loads(line) for line in shown[:-1]]

    def end(self) -> None:
        """End the process."""
        self._process.communicate()

    def _complaint(self, lines: list[str]) -> str:
        """Its last words, with the command in place of its number ("Command failed -:3")."""
        said = " ".join(self._process.communicate()[1].split())
        reason, _, number = said.rpartition("Command failed -:")
        if not number.isdecimal():
            return said or "has ended"
        return f"{reason.strip()}: {lines[int(number) - 1 - self._lines_run]}"

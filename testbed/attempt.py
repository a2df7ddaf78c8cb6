"""Tries a command: did it work, and what did it say? Nothing that it started outlives the attempt.

A command that starts others opens a sandbox for them, which ends with it (see `sandbox`).
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

TIMEOUT_S = 30.0
"""A slow machine takes seconds to start Open vSwitch; what takes longer than this is hung."""


class NoAnswerError(Exception):
    """A command could not be started or did not end in time; the message says which of the two."""


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it said."""

    exit_code: int
    output: str
    complaint: str
    """Its standard error."""


@dataclass(frozen=True)
class Finding:
    """Whether something works here."""

    available: bool
    reason: str = ""
    """If it does not: why not, in the words of the tool that tried it."""
    found: str = ""
    """If it does: what that tool had to say last."""


def ask(argv: Sequence[str], timeout_s: float = TIMEOUT_S) -> Answer:
    """Run a command to its end.

    Raises:
        NoAnswerError: it could not be started, or took longer than `timeout_s`.
    """
    try:
        # A session of its own: Ctrl-C reaches us alone, and we end it.
        started = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # A file of the user's named like one of our modules must not take its place.
            env={**os.environ, "PYTHONSAFEPATH": "1"},
            start_new_session=True,
        )
    except OSError as error:
        raise NoAnswerError(f"{argv[0]}: {error.strerror}") from error
    with started as process:
        try:
            output, complaint = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise NoAnswerError(f"no answer within {timeout_s:g} s") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    return Answer(process.returncode, output, complaint)


def attempt(argv: Sequence[str], timeout_s: float = TIMEOUT_S) -> Finding:
    """Whether a command succeeds; its last line of output or of complaint says more."""
    try:
        answer = ask(argv, timeout_s)
    except NoAnswerError as error:
        return Finding(False, str(error))
    if answer.exit_code == 0:
        return Finding(True, found=last_line(answer.output))
    return Finding(False, last_line(answer.complaint) or f"exit code {answer.exit_code}")


def last_line(text: str) -> str:
    """The last line that is not blank; empty if there is none."""
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""

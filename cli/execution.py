"""One run from the command line: prepared, carried out in a lab, analysed, reported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.errors import UserError
from cli.progress import RunProgress
from controller.errors import StartError
from generators.history import HistoryError
from playbooks.expectations import unmet
from playbooks.mode_checks import ModeError
from playbooks.plan import ProtectionMode
from playbooks.preparation import (
    MissingProgramError,
    Request,
    RunDirectoryError,
    prepare,
)
from playbooks.runner import Interrupted, run_lab
from playbooks.schema import builtin_playbook
from results.analysis import analyse
from results.report import run_report
from results.run_directory import RunDirectory
from results.summary import Summary, reported_run
from testbed.links.backend import LinkError
from testbed.sandbox import Sandbox, SandboxUnavailableError
from twin.policies import UnknownPolicyError

DEFAULT_OUT = Path("runs")
_WRONG_INPUT = (ModeError, UnknownPolicyError, HistoryError, RunDirectoryError, StartError)
_UNABLE = (MissingProgramError, SandboxUnavailableError, LinkError)


@dataclass(frozen=True)
class Finished:
    """A run and what it said."""

    run_dir: RunDirectory
    summary: Summary
    unmet: tuple[str, ...]
    """Expectations of the playbook that do not hold."""


def execute(
    playbook: str,
    policy: str,
    seed: int,
    out: Path,
    history: Path | None,
    progress: RunProgress,
    protection: ProtectionMode | None = None,
) -> Finished:
    """Run one playbook under one policy.

    Raises:
        UserError, DocumentError: the input is wrong or the machine cannot do it.
        KeyboardInterrupt: the run was ended from outside; its directory holds what was recorded.
    """
    with as_user_errors():
        request = Request(playbook_file(playbook), policy, seed, out, history, protection)
        prepared = prepare(request, progress.step)
    summary = carry_out(prepared.run_dir, prepared.sandbox, progress)
    return Finished(
        prepared.run_dir, summary, tuple(unmet(prepared.playbook.expect, summary.metrics))
    )


def carry_out(run_dir: RunDirectory, sandbox: Sandbox, progress: RunProgress) -> Summary:
    """Let a prepared lab run, analyse it, write its report.

    Raises:
        KeyboardInterrupt: it was ended from outside; what was recorded has been analysed.
    """
    try:
        run_lab(run_dir, sandbox, progress.event)
    except Interrupted:
        _analyse(run_dir)
        raise KeyboardInterrupt from None
    progress.step("analysing")
    return _analyse(run_dir)


def exit_code(finished: Sequence[Finished]) -> int:
    """3 if a run is invalid, else 1 if an expectation failed, else 0."""
    if not all(one.summary.valid for one in finished):
        return 3
    return 1 if any(one.unmet for one in finished) else 0


def playbook_file(playbook: str) -> Path:
    """The file that is meant: one that exists, or a built-in playbook's."""
    path, builtin = Path(playbook), builtin_playbook(playbook)
    return builtin if not path.exists() and builtin.exists() else path


def _analyse(run_dir: RunDirectory) -> Summary:
    summary = analyse(run_dir)
    run_dir.report.write_text(run_report(reported_run(run_dir, summary)), encoding="utf-8")
    return summary


@contextmanager
def as_user_errors() -> Iterator[None]:
    """What keeps a run from being prepared or carried out becomes a message and an exit code."""
    try:
        yield
    except _WRONG_INPUT as error:
        raise UserError(str(error)) from error
    except _UNABLE as error:
        raise UserError(str(error), exit_code=3) from error

"""How a command line names a run: by its directory, or by the id that `twinbed ps` shows."""

from __future__ import annotations

from pathlib import Path

from cli.errors import UserError
from results.run_directory import RunDirectory
from testbed.labs import RunningLab, running_labs
from testbed.modes import is_mode

HELP = "a run's directory, or the id that `twinbed ps` shows; it may still be running"


def named_run(word: str) -> RunDirectory:
    """The run that `word` names.

    Raises:
        UserError: there is no such run.
    """
    run_dir = RunDirectory(Path(word))
    if not run_dir.topology.exists():
        known = _running()
        if word not in known:
            raise UserError(
                f"{word} is no run: give the directory that `twinbed run` printed, or an id that "
                "`twinbed ps` shows"
            )
        run_dir = RunDirectory(known[word])
    return run_dir


def is_running(word: str) -> bool:
    """Whether `twinbed ps` shows a run of that id."""
    return word in _running()


def _running() -> dict[str, Path]:
    return {lab.run_id: lab.run_dir for lab in running_labs()}


def refuse_without_controller(run_dir: RunDirectory, asked: str) -> None:
    """Say of a network without a controller that it has nothing of what is asked for.

    Raises:
        UserError: the run had neither controller nor twin.
        OSError, msgspec.DecodeError: it is no run directory.
    """
    policy = run_dir.read_manifest().policy
    if is_mode(policy):
        raise UserError(
            f"{run_dir.path} ran under {policy}, without controller and twin, and has no {asked}: "
            "`twinbed routes RUN` shows the paths that were found, `events` what happened"
        )


def running_lab(run_dir: RunDirectory) -> RunningLab | None:
    """The lab of a run; None when it has ended."""
    path = run_dir.path.resolve()
    return next((lab for lab in running_labs() if lab.run_dir.resolve() == path), None)

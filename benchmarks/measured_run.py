"""A lab that is run for what it tells, in a folder that goes with it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from playbooks.bare_run import BareRun
from playbooks.preparation import Prepared
from playbooks.runner import run_lab
from results.run_directory import RunDirectory

Told = TypeVar("Told")


def measured_run(
    prepare: Callable[[Path], BareRun | Prepared], read: Callable[[RunDirectory], Told]
) -> Told:
    """Prepare a run in a folder of its own, run its lab, and return what `read` makes of it.

    Raises:
        Interrupted: the run was ended from outside, in order.
    """
    with tempfile.TemporaryDirectory(prefix="twinbed-") as folder:
        run = prepare(Path(folder))
        run_lab(run.run_dir, run.sandbox, lambda _: None)
        return read(run.run_dir)

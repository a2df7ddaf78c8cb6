"""Where the last calibration of this machine is kept."""

from __future__ import annotations

import logging
from pathlib import Path

from generators.training import default_cache_dir
from twin.residual import Residual, ResidualError

_log = logging.getLogger(__name__)


def calibration_file() -> Path:
    """The fitted residual of the performance model, for every later run."""
    return default_cache_dir() / "calibration.json"


def samples_file() -> Path:
    """The samples that it was fitted to."""
    return calibration_file().with_name("calibration-samples.jsonl")


def stored_calibration() -> Residual | None:
    """The residual, if there is one; a damaged file is none, and a warning."""
    file = calibration_file()
    if not file.exists():
        return None
    try:
        return Residual.load(file)
    except ResidualError as error:
        _log.warning("%s: theory alone until the next `twinbed calibrate`", error)
        return None

"""Measure on this machine what packets do, and fit the twin's model to it.

Labs on three networks carry random traffic under random routes, about 8 s a sample; every later
run on this machine uses what was learnt. Samples are appended to FILE, so a calibration that was
stopped goes on where it was; without new ones to measure it only fits.

Exit code 0: calibrated; 3: this machine could not carry the labs.

examples:
  twinbed calibrate
  twinbed calibrate --samples 80 --out samples.jsonl
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import msgspec

from cli.errors import UserError
from cli.execution import as_user_errors
from cli.output import messages, print_json, results
from cli.progress import RunProgress
from playbooks.calibration import FEWEST_SAMPLES, collect
from playbooks.calibration_lab import MeasuredInPart
from playbooks.calibration_trials import networks
from playbooks.stored_calibration import calibration_file, samples_file
from testbed.reference.errors import MeasurementError
from twin.fitting import COVERAGE, cases_of, fit
from twin.residual import Residual
from twin.samples import Samples, SamplesError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--samples", type=int, default=40, metavar="N", help="of each network; default: 40"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="of the samples; default: beside the models"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(arguments: argparse.Namespace) -> int:
    """Measure, fit, keep."""
    file = arguments.out or samples_file()
    if arguments.samples * len(networks()) < FEWEST_SAMPLES:
        raise UserError(f"--samples {arguments.samples}: too few to learn from; give 4 or more")
    residual, samples = _calibrated(arguments.samples, file)
    document = {
        "samples": len(samples.samples),
        "file": str(file),
        "calibration": str(calibration_file()),
        "residual": residual,
    }
    if arguments.json:
        print_json(document)
    else:
        results.print(_words(residual, len(samples.samples)), highlight=False)
        messages.print(f"kept in {calibration_file()}", highlight=False)
    return 0


def _calibrated(per_network: int, file: Path) -> tuple[Residual, Samples]:
    try:
        with as_user_errors(), RunProgress(messages).shown() as progress:
            progress.label("calibrate")
            samples = collect(networks(), per_network, file, progress.step)
            progress.step("fitting")
            residual = fit(cases_of(samples))
            residual.save(calibration_file())
    except MeasurementError as error:
        raise UserError(f"{error}; what was measured is in {file}", exit_code=3) from error
    except SamplesError as error:
        raise UserError(str(error)) from error
    except MeasuredInPart:
        messages.print(f"what was measured is in {file}: the same command goes on", highlight=False)
        raise KeyboardInterrupt from None
    except OSError as error:
        what = error.filename or calibration_file()
        raise UserError(f"{what} cannot be written: {error.strerror or error}") from error
    return residual, samples


def _words(residual: Residual, samples: int) -> str:
    figures = msgspec.structs.asdict(residual)
    lines = [f"fitted to {samples} samples:"]
    lines += [f"  {name.replace('_', ' ')}: {value:.3g}" for name, value in figures.items()]
    factor = math.exp(residual.delay_margin)
    lines.append(f"{COVERAGE:.0%} of mean delays are within a factor of {factor:.2f}")
    return "\n".join(lines)

"""How near the twin's performance model comes to packets, beside textbook queues and a GNN.

Samples of `twinbed calibrate` are split twice: by sample (two fifths of those of every network are
held out) and by network (fitted to all others, judged on the one left out). Fitted are our residual
and the GNN, to the same samples. Every pair of a held-out sample that got enough packets counts
once; M/M/1, M/D/1 and M/M/1/K need no fit. The loss target is on all packets of a sample together:
which pair's packets a full queue drops is a matter of phase, and the errors by pair stand in
the rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import gnn, queueing_rivals
from benchmarks.report import Report, Step, this_machine
from playbooks.stored_calibration import samples_file
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import Target, at_least, at_most
from twin.fitting import COVERAGE, Case, Errors, Told, cases_of, errors_of, fit
from twin.samples import SamplesError, read

_HELD_SHARE = 0.4
_FEWEST_HELD = 60
_GOAL_DELAY, _GOAL_P95, _GOAL_LOSS = 6.3, 12.0, 1.0
_FEWEST = 10
_OURS = "ours"

Models = Mapping[str, Callable[[Case], Told]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmark's arguments."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="samples of `twinbed calibrate`; default: this machine's",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the split; default: 0")


def run(arguments: argparse.Namespace, step: Step) -> Report:
    """Fit, and judge on what was held out.

    Raises:
        MeasurementError: there are not enough samples.
    """
    file = arguments.data or samples_file()
    try:
        cases = cases_of(read(file))
    except SamplesError as error:
        raise MeasurementError(str(error)) from error
    names = sorted({case.sample.network for case in cases})
    if len(cases) < _FEWEST * len(names) or not names:
        raise MeasurementError(f"{file} has {len(cases)} samples: measure with `twinbed calibrate`")
    machine = this_machine()
    train, held = _split(cases, arguments.seed)
    step("fitting, split by sample", 0.0)
    rows, figures = _judged("by sample", train, held)
    for number, name in enumerate(names if len(names) > 1 else ()):
        step(f"fitting, without {name}", (number + 1) / (len(names) + 1))
        rest = [case for case in cases if case.sample.network != name]
        left = [case for case in cases if case.sample.network == name]
        rows += _judged(f"without {name}", rest, left)[0]
    targets = [*_targets(figures[_OURS]), at_least("held-out samples", _FEWEST_HELD, len(held))]
    beside = {name: told for name, told in figures.items() if name != _OURS}
    return Report("twin-accuracy", machine, rows, targets, beside)


def _split(cases: Sequence[Case], seed: int) -> tuple[list[Case], list[Case]]:
    """(fitted to, held out): the same share of every network."""
    random = np.random.default_rng(seed)
    train, held = [], []
    for name in sorted({case.sample.network for case in cases}):
        mine = [case for case in cases if case.sample.network == name]
        order = random.permutation(len(mine))
        many = round(_HELD_SHARE * len(mine))
        held += [mine[at] for at in order[:many]]
        train += [mine[at] for at in order[many:]]
    return train, held


def _judged(
    what: str, train: Sequence[Case], held: Sequence[Case]
) -> tuple[list[dict[str, Any]], dict[str, dict[str, float | None]]]:
    residual, net = fit(train), gnn.train(train)
    models: Models = {
        _OURS: lambda case: case.told(residual),
        f"{_OURS}, stationary": lambda case: case.told(residual, lasting=True),
        "M/M/1": partial(queueing_rivals.predict, queue=queueing_rivals.mm1),
        "M/D/1": partial(queueing_rivals.predict, queue=queueing_rivals.md1),
        "M/M/1/K": partial(queueing_rivals.predict, queue=queueing_rivals.mm1k),
        "GNN": partial(gnn.told, net),
    }
    rows, figures = [], {}
    for name, told in models.items():
        errors = errors_of(held, told)
        figures[name] = _figures(errors, held, told)
        if name == _OURS:
            figures[name] |= _coverage(errors, residual.delay_margin, residual.p95_margin)
        shown = {**figures[name], "loss error by pair (points)": _points(errors.loss)}
        rows.append({"what": f"{what}: {name}", "figures": {"samples": len(held), **shown}})
    return rows, figures


_DELAY, _P95, _LOSS = (
    "mean delay, MAPE",
    "p95 delay, MAPE",
    "loss of all packets of a sample, mean absolute error",
)
_IN_DELAY, _IN_P95 = "mean delays in their intervals", "p95 delays in their intervals"


def _figures(
    errors: Errors, held: Sequence[Case], told: Callable[[Case], Told]
) -> dict[str, float | None]:
    return {
        _DELAY: 100 * float(np.abs(np.expm1(errors.delay)).mean()),
        _P95: 100 * float(np.abs(np.expm1(errors.p95)).mean()),
        _LOSS: _points(np.array([_total_loss_error(case, told(case)[2]) for case in held])),
    }


def _coverage(errors: Errors, delay: float, p95: float) -> dict[str, float | None]:
    return {
        _IN_DELAY: 100 * float((np.abs(errors.delay) <= delay).mean()),
        _IN_P95: 100 * float((np.abs(errors.p95) <= p95).mean()),
    }


def _total_loss_error(case: Case, loss: np.ndarray[Any, Any]) -> float:
    received = np.array(case.sample.packets)
    sent = received + np.maximum(np.array(case.sample.lost), 0)
    return float((loss * sent).sum() / sent.sum() - (1 - received.sum() / sent.sum()))


def _points(errors: np.ndarray[Any, Any]) -> float:
    return 100 * float(np.abs(errors).mean())


def _targets(ours: Mapping[str, float | None]) -> list[Target]:
    least = 100 * COVERAGE - 5
    return [
        at_most(_DELAY, _GOAL_DELAY, ours[_DELAY], "%"),
        at_most(_P95, _GOAL_P95, ours[_P95], "%"),
        at_most(_LOSS, _GOAL_LOSS, ours[_LOSS], "points"),
        at_least(_IN_DELAY, least, ours[_IN_DELAY], "%"),
        at_least(_IN_P95, least, ours[_IN_P95], "%"),
    ]

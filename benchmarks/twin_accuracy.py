"""How near the twin's performance model comes to packets, beside textbook queues and a GNN.

Samples of `twinbed calibrate` are split twice: by trial (of every network three tenths, those of
the highest numbers, are held out) and by network (fitted to all others, judged on the one left
out). So what is measured last is what is judged: `calibrate --samples 50` to learn from,
`calibrate --samples 73` to be judged by. Fitted to the same samples are our residual, the same for
queues that have stood for ever, what a machine adds at every link to M/D/1, and the GNN; the
textbook queues need no fit. Every pair of a held-out sample that got enough packets counts once.
The loss target is on all packets of a sample together: which pair's packets a full queue drops is
a matter of phase, and the errors by pair stand in the rows.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import gnn, queueing_rivals
from benchmarks.report import Report, Step, this_machine
from playbooks.stored_calibration import samples_file
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import Target, at_least, at_most, between
from twin.fitting import COVERAGE, Case, Errors, Told, cases_of, errors_of, fit
from twin.residual import Residual
from twin.samples import SamplesError, read

_HELD_SHARE = 0.3
_FEWEST_HELD, _FEWEST_NETWORKS = 60, 3
_LOADS_HELD = (0.3, 1.2)
"""Lightest and heaviest, of samples that are spread over 0.2 to 1.3."""
_GOAL_DELAY, _GOAL_P95, _GOAL_LOSS = 6.3, 12.0, 1.0
_COVERAGE_OFF = 5.0
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
    train, held = split(cases)
    step("fitting, split by trial", 0.0)
    rows, figures = _judged("by trial", train, held)
    for number, name in enumerate(names if len(names) > 1 else ()):
        step(f"fitting, without {name}", (number + 1) / (len(names) + 1))
        rest = [case for case in cases if case.sample.network != name]
        left = [case for case in cases if case.sample.network == name]
        rows += _judged(f"without {name}", rest, left)[0]
    targets = [*_targets(figures[_OURS]), *held_out_targets(held)]
    beside = {name: told for name, told in figures.items() if name != _OURS}
    return Report("twin-accuracy", machine, rows, targets, beside)


def split(cases: Sequence[Case]) -> tuple[list[Case], list[Case]]:
    """(fitted to, held out): of every network the trials of the highest numbers, whole trials."""
    train, held = [], []
    for name in sorted({case.sample.network for case in cases}):
        mine = [case for case in cases if case.sample.network == name]
        numbers = sorted({case.sample.number for case in mine})
        first_held = numbers[round((1 - _HELD_SHARE) * len(numbers))]
        held += [case for case in mine if case.sample.number >= first_held]
        train += [case for case in mine if case.sample.number < first_held]
    return train, held


def held_out_targets(held: Sequence[Case]) -> list[Target]:
    """That what is held out is enough, and of all kinds."""
    loads = [case.sample.load for case in held]
    trials = {(case.sample.network, case.sample.number) for case in held}
    lightest, heaviest = _LOADS_HELD
    return [
        at_least("held-out (matrix, routing) pairs", _FEWEST_HELD, len(trials)),
        at_least("networks", _FEWEST_NETWORKS, len({network for network, _ in trials})),
        at_most("lightest load held out, of the LP's capacity", lightest, min(loads)),
        at_least("heaviest load held out, of the LP's capacity", heaviest, max(loads)),
    ]


def _judged(
    what: str, train: Sequence[Case], held: Sequence[Case]
) -> tuple[list[dict[str, Any]], dict[str, dict[str, float | None]]]:
    residual, lasting, net = fit(train), fit(train, lasting=True), gnn.train(train)
    queue, predict = queueing_rivals, queueing_rivals.predict
    machine = queue.fitted_machine(train, queue.md1)
    models: Models = {
        _OURS: lambda case: case.told(residual),
        f"{_OURS}, stationary": lambda case: case.told(lasting, lasting=True),
        "M/M/1": partial(predict, queue=queue.mm1),
        "M/D/1": partial(predict, queue=queue.md1),
        "M/D/1, machine fitted": partial(predict, queue=queue.md1, machine=machine),
        "M/M/1/K": partial(predict, queue=queue.mm1k),
        "GNN": partial(gnn.told, net),
    }
    rows, figures = [], {}
    for name, told in models.items():
        errors = errors_of(held, told)
        figures[name] = _figures(errors, held, told)
        if name == _OURS:
            figures[name] |= _coverage(errors, residual)
        shown = {**figures[name], "loss error by pair (points)": _points(errors.loss)}
        rows.append({"what": f"{what}: {name}", "figures": {"samples": len(held), **shown}})
    return rows, figures


_DELAY, _P95, _LOSS = (
    "mean delay, MAPE",
    "p95 delay, MAPE",
    "loss of all packets of a sample, mean absolute error",
)
_IN_DELAY, _IN_P95 = "mean delays in their intervals", "p95 delays in their intervals"
_IN_LOSS = "losses of pairs in their intervals"


def _figures(
    errors: Errors, held: Sequence[Case], told: Callable[[Case], Told]
) -> dict[str, float | None]:
    return {
        _DELAY: 100 * float(np.abs(np.expm1(errors.delay)).mean()),
        _P95: 100 * float(np.abs(np.expm1(errors.p95)).mean()),
        _LOSS: _points(np.array([_total_loss_error(case, told(case)[2]) for case in held])),
    }


def _coverage(errors: Errors, residual: Residual) -> dict[str, float | None]:
    """In per cent; and how far the intervals reach above what is told."""
    inside = {
        _IN_DELAY: (errors.delay, residual.delay_margin),
        _IN_P95: (errors.p95, residual.p95_margin),
        _IN_LOSS: (errors.loss, residual.loss_margin),
    }
    return {
        **{
            name: 100 * float((np.abs(off) <= margin).mean())
            for name, (off, margin) in inside.items()
        },
        "intervals of mean delays reach up by (%)": 100 * math.expm1(residual.delay_margin),
        "intervals of p95 delays reach up by (%)": 100 * math.expm1(residual.p95_margin),
        "intervals of losses reach up by (points)": 100 * residual.loss_margin,
    }


def _total_loss_error(case: Case, loss: np.ndarray[Any, Any]) -> float:
    received = np.array(case.sample.packets)
    sent = received + np.maximum(np.array(case.sample.lost), 0)
    return float((loss * sent).sum() / sent.sum() - (1 - received.sum() / sent.sum()))


def _points(errors: np.ndarray[Any, Any]) -> float:
    return 100 * float(np.abs(errors).mean())


def _targets(ours: Mapping[str, float | None]) -> list[Target]:
    low, high = 100 * COVERAGE - _COVERAGE_OFF, 100 * COVERAGE + _COVERAGE_OFF
    return [
        at_most(_DELAY, _GOAL_DELAY, ours[_DELAY], "%"),
        at_most(_P95, _GOAL_P95, ours[_P95], "%"),
        at_most(_LOSS, _GOAL_LOSS, ours[_LOSS], "points"),
        between(_IN_DELAY, low, high, ours[_IN_DELAY], "%"),
        between(_IN_P95, low, high, ours[_IN_P95], "%"),
    ]

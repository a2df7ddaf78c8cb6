"""A benchmark of several parts: each is measured and judged by itself, and any may fail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from benchmarks.report import Interval, Machine, Report, Step
from playbooks.runner import Interrupted
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import Target


@dataclass(frozen=True)
class Verdict:
    """What the figures of a part mean; see `Report`."""

    targets: Sequence[Target] = ()
    beside: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    intervals: Mapping[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """Something to be measured; `judge` is given None when that raised MeasurementError."""

    what: str
    measure: Callable[[], Any]
    judge: Callable[[Any | None], Verdict]


class CutShort(Exception):  # noqa: N818 (not an error: somebody asked for it)
    """A benchmark was interrupted; `report` has the parts that were done."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report


def carry_out(bench: str, machine: Machine, parts: Sequence[Part], step: Step) -> Report:
    """Measure all parts; one that cannot be measured leaves its targets unmet.

    Raises:
        CutShort: Ctrl-C, or what counts as it, came in the middle.
    """
    rows: list[dict[str, Any]] = []
    targets: list[Target] = []
    beside: defaultdict[str, dict[str, float | None]] = defaultdict(dict)
    intervals: dict[str, Interval] = {}
    for number, part in enumerate(parts):
        step(part.what, number / len(parts))
        try:
            figures = part.measure()
        except MeasurementError as error:
            figures = None
            rows.append({"what": part.what, "failed": str(error)})
        except (KeyboardInterrupt, Interrupted):
            done = Report(bench, machine, rows, targets, beside, intervals, complete=False)
            raise CutShort(done) from None
        else:
            rows.append({"what": part.what, "figures": msgspec.to_builtins(figures)})
        verdict = part.judge(figures)
        targets += verdict.targets
        intervals |= verdict.intervals
        for name, column in verdict.beside.items():
            beside[name] |= column
    return Report(bench, machine, rows, targets, beside, intervals)


def joined(first: Report, second: Report) -> Report:
    """The figures and targets of two reports of one benchmark, which stood beside the same."""
    columns = {**first.beside, **second.beside}
    return msgspec.structs.replace(
        first,
        rows=[*first.rows, *second.rows],
        targets=[*first.targets, *second.targets],
        beside={
            name: {**first.beside.get(name, {}), **second.beside.get(name, {})} for name in columns
        },
        intervals={**first.intervals, **second.intervals},
        complete=first.complete and second.complete,
    )

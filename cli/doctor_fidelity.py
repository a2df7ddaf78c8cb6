"""`twinbed doctor --fidelity`: links against what is configured, and the most that is carried."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from rich.markup import escape
from rich.table import Table

from benchmarks.report import Report, Step, this_machine
from cli.bench import figure
from testbed.reference.capacity import Capacity, Carried, Limit
from testbed.reference.delay import Delay
from testbed.reference.errors import MeasurementError
from testbed.reference.iperf import UDP_FRAME_BYTES
from testbed.reference.loss import Loss
from testbed.reference.measuring import Figures, Measure, measure
from testbed.reference.queueing import Queueing
from testbed.reference.rate import Overload, Tcp
from testbed.reference.targets import Target, targets_of
from testbed.sandbox import Sandbox

REFERENCE: Sequence[Measure] = (
    Delay(5.0, load_mbps=0.0, pings=300),
    Delay(5.0, load_mbps=50.0, pings=300),
    Delay(50.0, load_mbps=0.0, pings=100),
    Tcp(20.0, seconds=4),
    Overload(20.0, seconds=3.0),
    Queueing(10.0, queue_packets=100, pings=100),
    Loss(1.0, frames=30_000, frames_per_s=5_000.0),
)
"""A link of each kind that labs are made of."""

_LINK_MBPS = 10.0
_FRAMES_PER_S_OF_LINK = _LINK_MBPS * 1e6 / 8 / UDP_FRAME_BYTES
_MOST_LINKS = 200
_SMALL_FRAME_BYTES = 64
_TRIAL_S = 0.5
_SEARCHES = 2
"""The better one counts: what was carried once can be carried."""

_BEYOND: Mapping[Limit, str] = {
    "loss": "frames get lost",
    "lateness": "frames come late",
    "sender": "the sender of this measurement falls behind",
}


@dataclass(frozen=True)
class Load:
    """Something of which there is ever more, until it is too much."""

    name: str
    words: str
    """For `str.format` with the figure: how a sentence names it."""
    what: Capacity
    figure: Callable[[Carried], float]


def _spread(frame_bytes: int) -> Capacity:
    return Capacity(
        links=20,
        frame_bytes=frame_bytes,
        least_frames_per_s=8_000,
        most_frames_per_s=300_000,
        trial_s=_TRIAL_S,
    )


LOADS = (
    Load(
        f"links, each full with {_LINK_MBPS:g} Mbit/s",
        f"{{:,.0f}} links of {_LINK_MBPS:g} Mbit/s",
        Capacity(
            links=_MOST_LINKS,
            frame_bytes=UDP_FRAME_BYTES,
            least_frames_per_s=4 * _FRAMES_PER_S_OF_LINK,
            most_frames_per_s=(_MOST_LINKS + 0.5) * _FRAMES_PER_S_OF_LINK,
            trial_s=_TRIAL_S,
            frames_per_s_of_link=_FRAMES_PER_S_OF_LINK,
        ),
        lambda carried: carried.links,
    ),
    Load(
        "Mbit/s in all, in full frames",
        "{:,.0f} Mbit/s",
        _spread(UDP_FRAME_BYTES),
        lambda carried: carried.mbps,
    ),
    Load(
        f"packets/s in all, of {_SMALL_FRAME_BYTES} bytes",
        "{:,.0f} packets/s",
        _spread(_SMALL_FRAME_BYTES),
        lambda carried: carried.frames_per_s,
    ),
)


class MachineLimit(msgspec.Struct, frozen=True):
    """The most of a load that is carried with errors below the bounds."""

    name: str
    most: float | None
    """None: it could not be measured; 0: not even the least load was carried."""
    beyond: str = ""
    """What happens above it; empty: no more was tried, or nothing could be measured."""
    failed: str = ""
    """Why it could not be measured."""
    words: str = ""
    """As part of a sentence."""


@dataclass(frozen=True)
class Fidelity:
    """What was measured."""

    report: Report
    """The reference links against what is configured."""
    limits: Sequence[MachineLimit]

    @property
    def passed(self) -> bool:
        """The links are within their bounds, and each load was carried to some extent."""
        return self.report.passed and all(limit.most for limit in self.limits)

    def document(self) -> Mapping[str, Any]:
        """For programs."""
        names = ("machine", "rows", "targets")
        parts = {name: getattr(self.report, name) for name in names}
        return {"passed": self.passed, **parts, "limits": self.limits}


def measure_fidelity(backend: str, sandbox: Sandbox, step: Step) -> Fidelity:
    """Measure everything; what cannot be measured is a missed target with its reason."""
    machine = this_machine(backend)
    rows: list[dict[str, Any]] = []
    number_of_rows = len(REFERENCE) + _SEARCHES * len(LOADS)

    def carry_out(what: Measure) -> Figures | MeasurementError:
        step(what.describe(), len(rows) / number_of_rows)
        try:
            figures = measure(what, backend, sandbox)
        except MeasurementError as error:
            rows.append({"what": what.describe(), "failed": str(error)})
            return error
        rows.append({"what": what.describe(), "figures": msgspec.to_builtins(figures)})
        return figures

    targets = [target for what in REFERENCE for target in _targets(what, carry_out(what))]
    limits = [
        better(limit_of(load, carry_out(load.what)) for _ in range(_SEARCHES)) for load in LOADS
    ]
    return Fidelity(Report("fidelity", machine, rows, targets), limits)


def _targets(what: Measure, figures: Figures | MeasurementError) -> list[Target]:
    if isinstance(figures, MeasurementError):
        return [Target(what.describe(), "to be measured", None, "", met=False)]
    return targets_of(figures)


def limit_of(load: Load, carried: Figures | MeasurementError) -> MachineLimit:
    """The limit that a search has found."""
    if not isinstance(carried, Carried):
        return MachineLimit(load.name, None, failed=str(carried))
    most, beyond = load.figure(carried), _BEYOND.get(carried.limit, "")
    words = load.words.format(most if most < 100 else rounded_down(most))
    bound = "up to" if beyond else "at least"
    return MachineLimit(load.name, most, beyond, words=f"{bound} {words}")


def better(limits: Iterable[MachineLimit]) -> MachineLimit:
    """The highest limit; one that could not be measured is the last."""
    return max(limits, key=lambda limit: -1 if limit.most is None else limit.most)


def rounded_down(figure: float) -> float:
    """To two significant digits."""
    step = 10.0 ** (math.floor(math.log10(figure)) - 1)
    return math.floor(figure / step) * step


def limits_table(limits: Sequence[MachineLimit]) -> Table:
    """Every limit, and what is beyond it."""
    table = Table(box=None, pad_edge=False, title="the most that the links carry here")
    table.add_column("")
    table.add_column("at most", justify="right")
    table.add_column("beyond that")
    for limit in limits:
        beyond = limit.failed or limit.beyond or "not tried"
        table.add_row(limit.name, figure(limit.most), escape(beyond))
    return table


def limits_sentence(limits: Sequence[MachineLimit]) -> str:
    """What this machine carries, in one sentence."""
    carried = [limit for limit in limits if limit.most]
    if not carried:
        return "this machine carries not even the least load, or it could not be measured"
    *others, last = [limit.words for limit in carried]
    alternatives = f"{', '.join(others)} or {last}" if others else last
    beyond = " or ".join(dict.fromkeys(limit.beyond for limit in carried if limit.beyond))
    gives_way = f"; beyond that {beyond}" if beyond else ""
    return (
        f"the links of this machine carry {alternatives} in all{gives_way}. "
        "In a lab, switches, hosts and traffic share the processors with them."
    )

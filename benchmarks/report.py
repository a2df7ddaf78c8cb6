"""What every benchmark says: on what, what was measured, and which targets are met."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from testbed.reference.targets import Target

Step = Callable[[str, float | None], None]
"""Called with what is being done and the share of the work that is behind."""

NAMES: Mapping[str, str] = {
    "links": "the links of this machine's backend against what is configured, beside a plain veth",
    "seeds": "a playbook under the twin and under the plain controller, seed by seed",
    "recovery": "how long packets stay away when something fails: protection beside its rivals",
    "whatif": "how many what-if questions the model answers in a second on one core",
    "twin-accuracy": "the twin's predictions against packets, beside textbook queues and a GNN",
    "te": "the twin's routes against the best that any routing could do, modelled and on packets",
    "generators": "traffic made by the GAN against unseen real traffic, beside its rivals",
    "replay": "a schedule against what is replayed of it: by us, iperf restarts, iperf3, and MGEN",
    "telemetry-loss": "the twin's routes with 30 % of the telemetry lost, with and without the VAE",
    "imputation": "gaps and corrupt counters in telemetry: the VAE beside plain methods and SAITS",
    "benefit": "what GAN samples add to a day of history: forecasts and routes in rare conditions",
    "forecast": "rates of OD pairs and links foreseen, minutes and hours ahead, beside others",
}
"""Each is the module of that name, with underscores."""


class Machine(msgspec.Struct, frozen=True):
    """What it was measured on."""

    cpus: int
    kernel: str
    architecture: str
    python: str
    load_average: float
    """Of the last minute, as the benchmark began: 0 is an idle machine."""
    backend: str | None = None
    """That makes the links, where links matter."""


class Interval(msgspec.Struct, frozen=True):
    """Holds the figure with a probability of 95 % at least."""

    low: float | None
    """None: unknown; so is `high` of the 95th percentile of 20 values."""
    high: float | None

    def __str__(self) -> str:
        match self.low, self.high:
            case None, None:
                return "-"
            case None, high:
                return f"up to {high:.3g}"
            case low, None:
                return f"from {low:.3g}"
            case low, high:
                return f"{low:.3g} to {high:.3g}"


class Report(msgspec.Struct, frozen=True):
    """The result of a benchmark. All targets met: it has passed."""

    bench: str
    machine: Machine
    rows: Sequence[Mapping[str, Any]]
    """All figures, one mapping per measurement: `what` was measured, and `figures`, or why it
    `failed`."""
    targets: Sequence[Target]
    beside: Mapping[str, Mapping[str, float | None]] = {}
    """Other things measured in that run, by their names: the same figures, by target."""
    intervals: Mapping[str, Interval] = {}
    """How sure measured figures are, by target, where that is known; those of other things by
    "target, name"."""
    complete: bool = True
    """False: it was interrupted, and whatever was to come is missing."""

    @property
    def passed(self) -> bool:
        """Whether everything was measured, and every target is met."""
        return self.complete and all(target.met for target in self.targets)


def this_machine(backend: str | None = None) -> Machine:
    """The machine as it is now."""
    return Machine(
        cpus=len(os.sched_getaffinity(0)),
        kernel=platform.release(),
        architecture=platform.machine(),
        python=platform.python_version(),
        load_average=round(os.getloadavg()[0], 2),
        backend=backend,
    )

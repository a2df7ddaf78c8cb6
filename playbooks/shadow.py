"""A situation of the twin carried out on packets: a lab of its own, prepared without a playbook.

The network as it would be, its routes placed, the matrix held constant, what has failed failing as
the traffic begins. The twin of that lab only watches.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from controller.messages import Route, route_of
from generators.schedule import Schedule
from playbooks.bare_run import BareRun, prepare_bare_run
from playbooks.plan import Breakdown
from testbed.faults import LinkDown
from testbed.labs import running_labs
from topologies.paths import shortest_paths
from twin.indexing import Indexing
from twin.situation import Situation

_INTERVAL_S = 4.0
_STEPS = 5
_FROM_STEP = 2
"""Until then queues fill, and routes are restored round what fails."""
_PROCESSORS_PER_LAB = 2
_LOOK_S = 1.0


def prepare_shadow(situation: Situation, name: str, out: Path) -> BareRun:
    """Write a run directory for `situation` below `out`.

    Raises:
        MissingProgramError, SandboxUnavailableError, LinkError: this machine cannot do it.
        RunDirectoryError: the run directory cannot be made.
    """
    return prepare_bare_run(
        f"shadow of {name}",
        f"shadow-{name}",
        out,
        situation.topology,
        _schedule(situation),
        measure_from_s=_FROM_STEP * _INTERVAL_S,
        weight=situation.weight,
        actions=_failures(situation),
        routes=_placed(situation),
    )


def await_room(say: Callable[[str], None]) -> None:
    """Wait until the machine can carry one lab more; say so if it cannot yet."""
    said = False
    while labs := running_labs():
        if (len(labs) + 1) * _PROCESSORS_PER_LAB <= len(os.sched_getaffinity(0)):
            return
        if not said:
            names = ", ".join(lab.run_id for lab in labs)
            say(f"this machine cannot carry two labs at once: waiting for the end of {names}")
            said = True
        time.sleep(_LOOK_S)


def _schedule(situation: Situation) -> Schedule:
    indexing = Indexing(situation.topology)
    hosts = tuple(host.name for host in situation.topology.hosts)
    matrix_bps = np.zeros((len(hosts), len(hosts)))
    matrix_bps[indexing.source, indexing.target] = situation.od_bps
    return Schedule(hosts, _INTERVAL_S, np.repeat(matrix_bps[None], _STEPS, axis=0))


def _failures(situation: Situation) -> tuple[Breakdown, ...]:
    links = sorted({tuple(sorted(hop)) for hop in situation.down})
    return tuple(Breakdown(0.0, "link-down", LinkDown((a, b))) for a, b in links)


def _placed(situation: Situation) -> tuple[Route, ...]:
    """The routes that are not shortest paths of the network as it starts, before it fails."""
    usual = shortest_paths(situation.topology, situation.weight)
    return tuple(
        route_of(pair, path) for pair, path in situation.routing.items() if path != usual.get(pair)
    )

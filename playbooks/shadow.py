"""A situation of the twin carried out on packets: a lab of its own, prepared without a playbook.

The network as it would be, its routes placed, the matrix held constant, what has failed or got
worse doing so as the traffic begins. The twin of that lab only watches.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from controller.messages import Route, route_of
from generators.schedule import Schedule
from generators.training import default_cache_dir
from playbooks.bare_run import BareRun, prepare_bare_run
from playbooks.locks import take
from playbooks.plan import Breakdown
from testbed.faults import Degraded, LinkDown
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
        actions=(*_failures(situation), *_degradations(situation)),
        routes=_placed(situation),
    )


@contextmanager
def room(say: Callable[[str], None]) -> Iterator[None]:
    """Wait until the machine can carry one lab more, and keep other shadows from taking its place;
    say so if it cannot yet.

    Two commands that ask at the same time would both see the same room: so one shadow runs at a
    time.
    """
    with ExitStack() as held:
        try:
            default_cache_dir().mkdir(parents=True, exist_ok=True)
            lock = held.enter_context((default_cache_dir() / "shadow.lock").open("ab"))
        except OSError as error:
            say(f"other shadows are not kept away: {error}")
        else:
            take(lock, lambda: say("another what-if is on packets: waiting for its end"))
        _await_room(say)
        yield


def _await_room(say: Callable[[str], None]) -> None:
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
    hosts = tuple(host.name for host in situation.topology.hosts)
    matrix_bps = Indexing(situation.topology).matrix(situation.od_bps)
    matrices_bps = np.repeat(matrix_bps[None], _STEPS, axis=0)
    return Schedule(hosts, _INTERVAL_S, matrices_bps, tcp_pairs=situation.tcp_pairs)


def _failures(situation: Situation) -> tuple[Breakdown, ...]:
    links = sorted({tuple(sorted(hop)) for hop in situation.down})
    return tuple(Breakdown(0.0, "link-down", LinkDown((a, b))) for a, b in links)


def _degradations(situation: Situation) -> tuple[Breakdown, ...]:
    return tuple(
        Breakdown(
            0.0,
            "degrade",
            Degraded(
                ends,
                loss_percent=shape.loss_percent,
                delay_ms=shape.delay_ms,
                rate_bps=shape.rate_bps,
            ),
        )
        for ends, shape in sorted(situation.shapes.items())
        if ends not in situation.down
    )


def _placed(situation: Situation) -> tuple[Route, ...]:
    """The routes that are not shortest paths of the network as it starts, before it fails."""
    usual = shortest_paths(situation.topology, situation.weight)
    return tuple(
        route_of(pair, path) for pair, path in situation.routing.items() if path != usual.get(pair)
    )

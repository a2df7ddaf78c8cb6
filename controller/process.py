"""The controller as a process: from its parts to its end."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path

from eventlet.hubs import trampoline

from controller import runtime
from controller.errors import StartError
from controller.service import Service
from topologies.model import Topology
from topologies.paths import Weight

_YOUNG_OBJECTS = 20_000
"""So many new ones have the garbage collector look through them: more than a big reroute makes."""

_logger = logging.getLogger(__name__)


@dataclass
class _Ending:
    """How the process is asked to end: from a signal handler, or because it cannot go on."""

    exit_code: int = 0
    _pipe: tuple[int, int] = field(default_factory=os.pipe)

    def now(self, exit_code: int) -> None:
        """End with `exit_code`."""
        self.exit_code = exit_code
        os.write(self._pipe[1], b"x")

    def fail(self, reason: str) -> None:
        """End because of `reason`."""
        _logger.error(reason)
        self.now(1)

    def wait(self) -> int:
        """Let everything else run until the end is asked for; return the exit code."""
        trampoline(self._pipe[0], read=True)
        return self.exit_code


def run(
    topology: Topology,
    weight: Weight,
    protected: bool,
    equal_cost: bool,
    run_dir: Path,
    listener: socket.socket,
) -> int:
    """Control `topology` until SIGTERM or SIGINT; return the exit code.

    Raises:
        StartError: `run_dir` cannot be written, or is served by another controller.
    """
    ending = _Ending()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.now(0))
    try:
        service = Service(topology, weight, protected, equal_cost, run_dir, ending.fail)
    except OSError as error:
        raise StartError(f"cannot write to {run_dir}: {error.strerror}") from error
    with contextlib.closing(service):
        service.start()
        runtime.start("controller.application", listener, service=service)
        _spare_the_collector()
        return ending.wait()


def _spare_the_collector() -> None:
    """Have garbage not looked for in what is there from the start, in the middle of a change."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, *gc.get_threshold()[1:])

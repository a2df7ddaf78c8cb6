"""A controller process beside an emulated network, and what its lab tests ask of it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from controller.messages import FromController
from controller.northbound_client import NorthboundClient, connect
from testbed.network import Network

M = TypeVar("M")
PATIENCE_S = 15.0


@dataclass(frozen=True)
class ControllerLab:
    """A network under control."""

    network: Network
    process: subprocess.Popen[bytes]
    client: NorthboundClient
    started_s: float
    run_dir: Path

    def await_message(
        self, kind: type[M], condition: Callable[[M], bool] = lambda _: True
    ) -> M:
        """The next message of `kind` that meets `condition`."""
        deadline_s = time.monotonic() + PATIENCE_S
        while (left_s := deadline_s - time.monotonic()) > 0:
            message: FromController | None = self.client.receive(left_s)
            if isinstance(message, kind) and condition(message):
                return message
        raise AssertionError(f"no {kind.__name__} within {PATIENCE_S} s")


@contextmanager
def control(network: Network, run_dir: Path, *options: str) -> Iterator[ControllerLab]:
    """Start a controller for `network`, and end it."""
    (run_dir / "topology.json").write_bytes(msgspec.json.encode(network.topology))
    started_s = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "controller", "--run-dir", run_dir, *options])
    try:
        with connect(run_dir / "northbound.sock") as client:
            yield ControllerLab(network, process, client, started_s, run_dir)
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0

"""A network under control inside a sandbox, and sockets in its hosts: what labs here begin with."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from controller.messages import Ready
from controller.northbound_client import NorthboundClient, connect
from playbooks.plan import ProtectionMode
from testbed import openvswitch
from testbed.links.probing import open_backend
from testbed.network import Network
from testbed.reference.errors import MeasurementError
from topologies.model import Topology

_READY_S = 30.0


@dataclass(frozen=True)
class ControlledLab:
    """All routes of `network` are in place."""

    network: Network
    controller: subprocess.Popen[bytes]
    client: NorthboundClient


@contextmanager
def controlled(
    topology: Topology, backend: str, protection: ProtectionMode, run_dir: Path
) -> Iterator[ControlledLab]:
    """Build the network in this sandbox, which ends it.

    Raises:
        MeasurementError: the controller is not ready in time.
    """
    (run_dir / "topology.json").write_bytes(msgspec.json.encode(topology))
    openvswitch.start(run_dir)
    network = Network(topology, open_backend(backend, run_dir), bfd=protection == "bfd")
    controller = start_controller(run_dir, protected=protection != "none")
    with connect(run_dir / "northbound.sock") as client:
        await_ready(client)
        yield ControlledLab(network, controller, client)


def start_controller(run_dir: Path, *, protected: bool) -> subprocess.Popen[bytes]:
    """A controller for the network whose topology lies in `run_dir`."""
    argv = [sys.executable, "-m", "controller", "--run-dir", str(run_dir)]
    return subprocess.Popen([*argv, "--protected"] if protected else argv, stdin=subprocess.DEVNULL)


def await_ready(client: NorthboundClient, patience_s: float = _READY_S) -> Ready:
    """The controller's word that all routes are in place.

    Raises:
        MeasurementError: it did not come in time.
    """
    deadline_s = time.monotonic() + patience_s
    while time.monotonic() < deadline_s:
        message = client.receive(max(0.0, deadline_s - time.monotonic()))
        if isinstance(message, Ready):
            return message
    raise MeasurementError("the controller is not ready")

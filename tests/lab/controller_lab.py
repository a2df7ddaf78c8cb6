"""A controller process beside an emulated network, and what its lab tests ask of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from controller.messages import DatapathState, FromClient, Ready
from controller.northbound_client import NorthboundClient, connect
from testbed.faults import SwitchCrash
from testbed.network import Network
from topologies.model import Topology

M = TypeVar("M")
PATIENCE_S = 45.0

_LISTENING = ["ss", "-Hlun", "sport = :2112"]
"""Prints irtt's server once it listens, else nothing; see ss(8)."""


@dataclass(frozen=True)
class ControllerLab:
    """A network under control."""

    network: Network
    process: subprocess.Popen[bytes]
    client: NorthboundClient
    started_s: float

    def await_message(self, kind: type[M], condition: Callable[[M], bool] = lambda _: True) -> M:
        """The next message of `kind` that meets `condition`."""
        deadline_s = time.monotonic() + PATIENCE_S
        while (left_s := deadline_s - time.monotonic()) > 0:
            message = self.client.receive(left_s)
            if isinstance(message, kind) and condition(message):
                return message
        raise AssertionError(f"no such {kind.__name__} within {PATIENCE_S} s")

    def ask(self, request: FromClient, kind: type[M]) -> M:
        """The answer, of `kind`, to a request."""
        self.client.send(request)
        return self.await_message(kind, lambda m: m.request_id == request.request_id)


@contextmanager
def control(
    network: Network,
    run_dir: Path,
    *options: str,
    believed: Topology | None = None,
    until_ready: bool = True,
) -> Iterator[ControllerLab]:
    """Start a controller for `network`, wait until it is ready, and end it afterwards, unless the
    body has killed it.

    It is told that the network is as `believed`, else the truth.
    """
    topology = believed or network.topology
    (run_dir / "topology.json").write_bytes(msgspec.json.encode(topology))
    started_s = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "controller", "--run-dir", run_dir, *options])
    try:
        with connect(run_dir / "northbound.sock") as client:
            lab = ControllerLab(network, process, client, started_s)
            if until_ready:
                lab.await_message(Ready)
            yield lab
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) in (0, -signal.SIGKILL)


@dataclass
class Stream:
    """What became of the packets of a stream; there and back counts as one."""

    sent: int = 0
    lost: int = 0


@contextmanager
def streaming(
    network: Network, source: str, target: str, spacing_ms: int, duration_s: int
) -> Iterator[Stream]:
    """Packets at an even pace, echoed by `target`; the result is there afterwards.

    The body must take less than `duration_s`.
    """
    stream = Stream()
    # With a minimum interval, the server drops packets that a busy machine has bunched up.
    server = network.hosts.start(target, ["irtt", "server", "-i", "0"])
    try:
        # A client that finds nobody listening ends at once.
        wait_for(lambda: bool(network.hosts.run(target, _LISTENING).stdout))
        address = network.addressing.ipv4[target]
        pace = ["-i", f"{spacing_ms}ms", "-d", f"{duration_s}s"]
        argv = ["irtt", "client", "-Q", "-o", "-", *pace, address]
        client = network.hosts.start(source, argv, stdout=subprocess.PIPE)
        yield stream
        assert client.poll() is None, "the stream has ended before the test"
        stats = msgspec.json.decode(client.communicate(timeout=PATIENCE_S)[0])["stats"]
        stream.sent = stats["packets_sent"]
        stream.lost = stream.sent - stats["packets_received"]
        assert stream.sent >= 0.9 * duration_s * 1000 / spacing_ms
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


def reaches(network: Network, source: str, target: str, count: int = 1) -> bool:
    """Whether `count` pings are all answered."""
    argv = ["ping", "-q", "-c", str(count), "-i", "0.01", "-W", "1"]
    return network.hosts.run(source, [*argv, network.addressing.ipv4[target]]).returncode == 0


def wait_for(condition: Callable[[], bool]) -> None:
    """Look again and again until it holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come about"


def restart(lab: ControllerLab, switch: str) -> None:
    """`switch` loses all that it holds."""
    lab.network.set_faults([SwitchCrash(switch)])
    lab.await_message(DatapathState, lambda m: m.datapath == switch and not m.connected)
    lab.network.set_faults([])
    lab.await_message(DatapathState, lambda m: m.datapath == switch and m.connected)

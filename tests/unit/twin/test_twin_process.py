"""`python -m twin` with a small controller at the other end of its socket."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from fluid_network import FluidNetwork
from small_networks import demand, square

from controller.messages import FromClient, Reroute
from controller.socket_address import socket_address
from results.run_directory import read_lines
from twin.__main__ import main
from twin.records import CapacityLearnt, Decision, LinksScored, TwinRecord

TOPOLOGY = square()
PATIENCE_S = 30.0


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    (tmp_path / "topology.json").write_bytes(msgspec.json.encode(TOPOLOGY))
    return tmp_path


@pytest.fixture
def listener(run_dir: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as server:
        with socket_address(run_dir / "northbound.sock") as address:
            server.bind(address)
        server.listen()
        server.settimeout(PATIENCE_S)
        yield server


@pytest.fixture
def start(run_dir: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "twin", "--run-dir", str(run_dir), *arguments]
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


class Controller:
    """Plays a network of fluids to one connection, in real time."""

    def __init__(self, connection: socket.socket, network: FluidNetwork) -> None:
        self._connection = connection
        self._network = network
        self._rest = b""
        connection.setblocking(False)
        network.now_s = time.monotonic()
        network.snapshot()

    def play_until(self, done: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline_s, "waited in vain"
            while self._network.now_s < time.monotonic():
                self._network.advance()
            messages, self._network.outbox = self._network.outbox, []
            self._connection.setblocking(True)
            for message in messages:
                self._connection.sendall(msgspec.json.encode(message) + b"\n")
            self._connection.settimeout(0.01)
            self._answer()

    def _answer(self) -> None:
        try:
            self._rest += self._connection.recv(1 << 16)
        except TimeoutError:
            return
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            self._network.request(msgspec.json.decode(line, type=FromClient))


def records(run_dir: Path) -> list[TwinRecord]:
    lines = (run_dir / "twin.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=TwinRecord) for line in lines]


def busy_network() -> FluidNetwork:
    return FluidNetwork(TOPOLOGY, lambda _: demand(TOPOLOGY, h1_h3=7, h2_h3=6))


ARGUMENTS = ("--policy", "twin", "--interval-s", "1")


def test_it_reroutes_survives_its_controller_and_ends_on_sigterm(
    start: Callable[..., subprocess.Popen[bytes]], listener: socket.socket, run_dir: Path
) -> None:
    process = start(*ARGUMENTS)
    for _ in range(2):  # the second controller knows nothing of what the first has done
        network = busy_network()
        connection, _ = listener.accept()
        with connection:
            Controller(connection, network).play_until(
                lambda network=network: any(isinstance(r, Reroute) for r in network.requests)
            )
    process.send_signal(signal.SIGTERM)
    asked_s = time.monotonic()
    assert process.wait(PATIENCE_S) == 0
    assert time.monotonic() - asked_s < 5  # no wait of its own; a busy machine takes a second
    decisions = [r for r in records(run_dir) if isinstance(r, Decision)]
    assert len(decisions) >= 2
    assert len({d.decision_id for d in decisions}) == len(decisions)


def test_one_that_is_started_again_goes_on_with_what_was_learnt(
    start: Callable[..., subprocess.Popen[bytes]], listener: socket.socket, run_dir: Path
) -> None:
    """That s1-s2 carries half of what is configured, which 3 of 10 Mbit/s do not show by itself."""
    told = CapacityLearnt(
        t_s=1.0,
        sender="s1",
        receiver="s2",
        configured_bps=10e6,
        before_bps=10e6,
        after_bps=5e6,
        loss=0.1,
    )
    (run_dir / "twin.jsonl").write_bytes(msgspec.json.encode(told) + b"\n" + b'{"type":"mirr')
    start(*ARGUMENTS)
    network = FluidNetwork(TOPOLOGY, lambda _: demand(TOPOLOGY, h1_h3=3))
    connection, _ = listener.accept()
    with connection:
        Controller(connection, network).play_until(
            lambda: any(isinstance(record, LinksScored) for record in records(run_dir))
        )
    scored = next(record for record in records(run_dir) if isinstance(record, LinksScored))
    assert scored.believed_bps[TOPOLOGY.core_directions.index(("s1", "s2"))] == 5e6


def test_it_waits_for_a_controller_and_ends_all_the_same(
    start: Callable[..., subprocess.Popen[bytes]], run_dir: Path
) -> None:
    process = start(*ARGUMENTS)
    deadline_s = time.monotonic() + PATIENCE_S
    while not (run_dir / "twin.jsonl").exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


def test_another_protocol_is_refused_with_a_message(
    start: Callable[..., subprocess.Popen[bytes]], listener: socket.socket
) -> None:
    process = start(*ARGUMENTS)
    connection, _ = listener.accept()
    with connection:
        connection.sendall(b'{"type": "of-another-version"}\n{"type": "hello", "t_s": "now"}\n')
        assert process.wait(PATIENCE_S) == 1
    assert process.stderr is not None
    errors = process.stderr.read()
    assert b"Traceback" not in errors
    assert b"t_s" in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--policy", "twim", "--interval-s", "4"), "unknown policy 'twim'"),
        (("--policy", "twin", "--interval-s", "0"), "--interval-s 0.0 is not positive"),
        ((*ARGUMENTS, "--weights", "none.pt"), "none.pt holds no forecaster"),
        ((*ARGUMENTS, "--imputer", "no_such:thing"), "imputer 'no_such:thing' cannot be loaded"),
        ((*ARGUMENTS, "--imputer", "math:sqrt=4"), "cannot be loaded"),
        ((*ARGUMENTS, "--telemetry-loss", "{}"), "missing required field `share`"),
    ],
)
def test_wrong_arguments_end_it_with_a_message(
    run_dir: Path,
    arguments: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["twin", "--run-dir", str(run_dir), *arguments])
    assert main() == 2
    assert message in capsys.readouterr().err
    assert not list(read_lines(run_dir / "twin.jsonl", TwinRecord))  # type: ignore[type-var]


def test_a_topology_that_cannot_be_read_ends_it_with_a_message(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (run_dir / "topology.json").write_text("{}")
    monkeypatch.setattr(sys, "argv", ["twin", "--run-dir", str(run_dir), *ARGUMENTS])
    assert main() == 2
    assert "cannot read the topology" in capsys.readouterr().err

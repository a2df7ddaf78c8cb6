"""The socket server and its client, over real sockets: the server on eventlet in a thread."""

from __future__ import annotations

import os
import queue
import selectors
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from controller import runtime
from controller.errors import StartError
from controller.messages import (
    Allow,
    DatapathState,
    Drop,
    FromClient,
    FromController,
    Hello,
    Message,
    Reroute,
    Route,
)
from controller.northbound import Northbound, listen
from controller.northbound_client import NorthboundClient, connect

eventlet = runtime.eventlet
PATIENCE_S = 10.0
HELLO = Hello(t_s=1.0, version=1, topology="test")


def state(t_s: float, name: str = "s1") -> DatapathState:
    return DatapathState(t_s=t_s, datapath=name, connected=True)


class Server:
    """A northbound server in a thread of its own, which carries out what it is told in order."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "northbound.sock"
        self.journal = directory / "telemetry.jsonl"
        self.requests: queue.Queue[FromClient] = queue.Queue()
        self.journal_errors: list[OSError] = []
        self._calls: queue.Queue[Callable[[Northbound], None] | None] = queue.Queue()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._listening.wait(PATIENCE_S)

    def stop(self) -> None:
        self._calls.put(None)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def do(self, call: Callable[[Northbound], None]) -> None:
        done = threading.Event()

        def call_and_tell(northbound: Northbound) -> None:
            call(northbound)
            done.set()

        self._calls.put(call_and_tell)
        assert done.wait(PATIENCE_S)

    def publish(self, *messages: Message) -> None:
        def publish_all(northbound: Northbound) -> None:
            for message in messages:
                northbound.publish(message)

        self.do(publish_all)

    def _run(self) -> None:
        listener = listen(self.path)
        with self.journal.open("ab", buffering=0) as journal:
            northbound = Northbound(
                journal, lambda: [HELLO], self.requests.put, self.journal_errors.append
            )
            serving = eventlet.spawn(northbound.serve, listener)
            self._listening.set()
            while True:
                try:
                    call = self._calls.get_nowait()
                except queue.Empty:
                    eventlet.sleep(0.002)
                    continue
                if call is None:
                    break
                call(northbound)
            serving.kill()
        listener.close()


@contextmanager
def serving(directory: Path) -> Iterator[Server]:
    server = Server(directory)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path) as running:
        yield running


def take(client: NorthboundClient) -> FromController:
    message = client.receive(PATIENCE_S)
    assert message is not None
    return message


def test_a_subscriber_gets_the_snapshot_and_then_every_message_numbered(server: Server) -> None:
    server.publish(state(1.0))
    with connect(server.path) as client:
        assert take(client) == msgspec.structs.replace(HELLO, seq=1)
        server.publish(state(2.0), state(3.0))
        assert [(m.t_s, m.seq) for m in (take(client), take(client))] == [(2.0, 2), (3.0, 3)]
        assert client.receive(0) is None


def test_the_journal_holds_every_message_once_whoever_listens(server: Server) -> None:
    server.publish(state(1.0))
    with connect(server.path) as one, connect(server.path) as two:
        take(one), take(two)
        server.publish(state(2.0, "å"))
        assert take(one) == take(two)
    lines = server.journal.read_bytes().splitlines()
    decoded = [msgspec.json.decode(line, type=FromController) for line in lines]
    assert [(m.t_s, m.seq) for m in decoded] == [(1.0, 1), (2.0, 2)]


def test_requests_of_every_kind_arrive_in_order(server: Server) -> None:
    requests = [
        Reroute("1", (Route("h1", "h2", ("s1", "s2")),)),
        Drop("2", "h1", "h2"),
        Allow("3", "h1", "h2"),
    ]
    with connect(server.path) as client:
        for request in requests:
            client.send(request)
        assert [server.requests.get(timeout=PATIENCE_S) for _ in requests] == requests


def test_only_the_owner_may_connect(server: Server) -> None:
    assert stat.S_IMODE(server.path.stat().st_mode) == 0o600


def test_a_client_that_sends_nonsense_is_dropped_and_others_are_not(server: Server) -> None:
    with connect(server.path) as good, connect(server.path) as bad:
        take(good), take(bad)
        bad._socket.sendall(b'{"type":"reroute"}\n')
        with pytest.raises(ConnectionError):
            bad.receive(PATIENCE_S)
        server.publish(state(2.0))
        assert take(good).t_s == 2.0


def test_a_subscriber_that_does_not_read_is_dropped_without_delaying_others(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    big = state(1.0, "x" * (1 << 20))
    with connect(server.path) as slow, connect(server.path) as good:
        take(good)
        for _ in range(24):
            server.publish(big)
            assert take(good).t_s == 1.0
        with pytest.raises(ConnectionError):
            list(iter(lambda: take(slow), None))
    assert "does not read" in caplog.text


def test_a_client_notices_that_the_controller_is_gone_and_finds_the_next(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        client = connect(server.path)
        take(client)
        server.do(lambda northbound: northbound._subscribers.copy().pop().close())
    with client, pytest.raises(ConnectionError):
        client.receive(PATIENCE_S)
    assert (tmp_path / "northbound.sock").exists()  # left behind, as after a kill -9
    with serving(tmp_path) as again, connect(again.path) as fresh:
        assert isinstance(take(fresh), Hello)


def test_a_selector_wakes_up_and_all_waiting_messages_can_be_taken(server: Server) -> None:
    with connect(server.path) as client, selectors.DefaultSelector() as selector:
        selector.register(client, selectors.EVENT_READ)
        server.publish(*(state(float(i)) for i in range(1, 4)))
        seen: list[FromController] = []
        while len(seen) < 4:
            assert selector.select(PATIENCE_S)
            while message := client.receive(0):
                seen.append(message)
        assert [message.t_s for message in seen[-3:]] == [1.0, 2.0, 3.0]


def test_a_client_passes_over_messages_of_a_later_version() -> None:
    ours, theirs = socket.socketpair()
    with theirs, NorthboundClient(ours) as client:
        known = msgspec.json.encode(state(7.0))
        newer = known.replace(b'"t_s":', b'"unheard-of":[1],"t_s":')
        for line in (b'{"type":"of-tomorrow","t_s":1.0}', newer):
            theirs.sendall(line + b"\n")
        assert client.receive(PATIENCE_S) == state(7.0)
        theirs.sendall(b'{"type":"datapath-state"}\n')
        with pytest.raises(msgspec.ValidationError):
            client.receive(PATIENCE_S)


def test_a_second_controller_of_the_same_directory_is_refused(server: Server) -> None:
    with pytest.raises(StartError, match="another controller serves"):
        listen(server.path)


def test_a_path_longer_than_unix_sockets_allow_works(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with serving(deep) as server, connect(server.path) as client:
        assert len(os.fsencode(server.path)) > 107
        assert isinstance(take(client), Hello)


def test_connecting_to_nobody_fails_after_the_timeout(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        connect(tmp_path / "northbound.sock", timeout_s=0.0)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "northbound.sock"))
    with pytest.raises(ConnectionRefusedError):
        connect(tmp_path / "northbound.sock", timeout_s=0.0)


def test_a_full_disk_is_reported() -> None:
    errors: list[OSError] = []
    with Path("/dev/full").open("wb", buffering=0) as full:
        northbound = Northbound(full, lambda: [HELLO], lambda _: None, errors.append)
        northbound.publish(state(1.0))
    assert errors

"""The twin as a process: its socket, its journal, its clock, its end."""

from __future__ import annotations

import logging
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from controller.journal import remove_cut_off_line
from controller.messages import FromController
from controller.northbound_client import NorthboundClient, connect
from twin.health import HealthMeter
from twin.late_models import LateModels
from twin.memory import learnt
from twin.output import Output
from twin.records import ModelsLoaded, TwinRecord
from twin.twin import Twin

Feed = Callable[[FromController], FromController | None]
"""What of a message of the controller reaches the twin; None: nothing."""

_RETRY_S = 0.1

_log = logging.getLogger(__name__)


class StopSignal:
    """SIGTERM and SIGINT as news on a socket pair, so that waiting ends at once."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    @property
    def given(self) -> bool:
        """Whether the process shall end."""
        return self.wait(0.0)

    def wait(self, timeout_s: float, *others: NorthboundClient) -> bool:
        """Wait until the process shall end, something arrives at `others`, or time is up."""
        watched = [self._reader.fileno(), *(client.fileno() for client in others)]
        readable, _, _ = select.select(watched, [], [], timeout_s)
        return self._reader.fileno() in readable


def whole(message: FromController) -> FromController:
    """A feed that loses nothing."""
    return message


def run(
    twin: Twin,
    models: LateModels,
    socket_path: Path,
    journal_path: Path,
    stop: StopSignal,
    feed: Feed = whole,
) -> None:
    """Serve until told to stop; a controller that dies is waited for.

    Raises:
        OSError: the journal cannot be written.
        Exception: what the models raised that cannot be loaded.
        msgspec.DecodeError: the controller speaks another protocol.
    """
    with journal_path.open("a+b", buffering=0) as journal:
        remove_cut_off_line(journal)  # of a twin that was killed
        twin.go_on_with(learnt(_recorded(journal_path)))
        while not stop.given:
            models.raise_failure()
            try:
                client = connect(socket_path, timeout_s=0.0)
            except OSError:
                stop.wait(_RETRY_S)  # not there yet, or being replaced
                continue
            with client:
                _log.info("connected to the controller")
                _Session(twin, models, client, journal, feed).serve(stop)


def _recorded(journal_path: Path) -> Iterator[TwinRecord]:
    decoder: msgspec.json.Decoder[TwinRecord] = msgspec.json.Decoder(TwinRecord)
    with journal_path.open("rb") as lines:
        yield from map(decoder.decode, lines)


class _Session:
    """One connection to the controller."""

    def __init__(
        self,
        twin: Twin,
        models: LateModels,
        client: NorthboundClient,
        journal: IO[bytes],
        feed: Feed,
    ) -> None:
        self._twin = twin
        self._models = models
        self._feed = feed
        self._told_of_models = False
        self._client = client
        self._journal = journal
        self._health = HealthMeter(time.monotonic())

    def serve(self, stop: StopSignal) -> None:
        """Serve until told to stop, or until the controller is gone."""
        while not stop.wait(self._twin.due_s(time.monotonic()), self._client):
            try:
                while message := self._client.receive(0.0):
                    self._health.received()
                    if (left := self._feed(message)) is not None:
                        self._twin.receive(left)
            except ConnectionError as error:
                _log.warning("lost the controller: %s", error)
                self._twin.mirror.forget_state()
                return
            if self._twin.due_s(time.monotonic()) == 0.0 and not self._step():
                return

    def _step(self) -> bool:
        begun_s = time.monotonic()
        age_s = self._twin.mirror.telemetry_age_s(begun_s)
        output = self._twin.step(begun_s)
        sent = self._send(output)
        now_s = time.monotonic()
        self._health.stepped(now_s - begun_s, age_s)
        if health := self._health.report(now_s):
            output.records.append(health)
        if not self._told_of_models and self._models.loaded:
            output.records.append(ModelsLoaded(t_s=now_s))
            self._told_of_models = True
        self._write(output.records)
        return sent

    def _send(self, output: Output) -> bool:
        try:
            for request in output.requests:
                self._client.send(request)
        except OSError as error:
            _log.warning("lost the controller while asking for a change: %s", error)
            self._twin.mirror.forget_state()
            return False
        return True

    def _write(self, records: list[TwinRecord]) -> None:
        lines = [msgspec.json.encode(record) + b"\n" for record in records]
        if lines:
            self._journal.write(b"".join(lines))

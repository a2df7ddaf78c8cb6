"""The northbound socket: every message to the journal and to all subscribers, requests back.

A subscriber that does not read is dropped rather than waited for, and so is one that sends what
is no request. Runs on eventlet, beside the OpenFlow side.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import eventlet
import msgspec
from eventlet.green import socket
from eventlet.queue import LightQueue

from controller.errors import StartError
from controller.messages import FromClient, Message
from controller.socket_address import socket_address

_BACKLOG_BYTES = 16 << 20  # a subscriber that leaves more than this unread is dropped
_LONGEST_REQUEST_BYTES = 4 << 20
_CHUNK_BYTES = 1 << 16

_logger = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[FromClient] = msgspec.json.Decoder(FromClient)


class Northbound:
    """Publishes messages and hands over requests.

    Args:
        journal: unbuffered binary file to which every message is appended.
        snapshot: what a new subscriber is told first, `Hello` first of all.
        on_request: called with every request.
        on_journal_error: called when the journal cannot be written any more.
    """

    def __init__(
        self,
        journal: IO[bytes],
        snapshot: Callable[[], Iterable[Message]],
        on_request: Callable[[FromClient], None],
        on_journal_error: Callable[[OSError], None],
    ) -> None:
        self._journal = journal
        self._snapshot = snapshot
        self._on_request = on_request
        self._on_journal_error = on_journal_error
        self._subscribers: set[_Subscriber] = set()
        self._seq = 0

    def publish(self, message: Message) -> None:
        """Number `message`, append it to the journal and send it to all subscribers."""
        self._seq += 1
        line = self._line(message)
        self.record(line)
        for subscriber in tuple(self._subscribers):
            if not subscriber.offer(line):
                self._drop(subscriber, "it does not read what it is sent")

    def record(self, line: bytes) -> None:
        """Append a line to the journal only."""
        try:
            self._journal.write(line)
        except OSError as error:
            self._on_journal_error(error)

    def serve(self, listener: Any) -> None:
        """Accept subscribers for ever."""
        while True:
            connection, _ = listener.accept()
            subscriber = _Subscriber(connection)
            # Nothing yields between the snapshot and the first message after it.
            subscriber.offer(b"".join(self._line(message) for message in self._snapshot()))
            self._subscribers.add(subscriber)
            eventlet.spawn_n(subscriber.write_all)
            eventlet.spawn_n(self._read_all, subscriber)

    def _line(self, message: Message) -> bytes:
        return encode(msgspec.structs.replace(message, seq=self._seq))

    def _read_all(self, subscriber: _Subscriber) -> None:
        try:
            for line in subscriber.lines():
                self._on_request(_decoder.decode(line))
        except (msgspec.DecodeError, _RequestTooLongError) as error:
            self._drop(subscriber, f"it sent what is no request: {error}")
        else:
            self._subscribers.discard(subscriber)
            subscriber.close()

    def _drop(self, subscriber: _Subscriber, reason: str) -> None:
        _logger.warning("dropping a northbound subscriber: %s", reason)
        self._subscribers.discard(subscriber)
        subscriber.close()


class _RequestTooLongError(Exception):
    pass


class _Subscriber:
    """One connection, with what it has not read yet."""

    def __init__(self, connection: Any) -> None:
        self._socket = connection
        self._outbox = LightQueue()
        self._waiting_bytes = 0

    def offer(self, data: bytes) -> bool:
        """Queue `data` without waiting; False when too much is queued already."""
        self._waiting_bytes += len(data)
        self._outbox.put(data)
        return self._waiting_bytes <= _BACKLOG_BYTES

    def write_all(self) -> None:
        """Send what is queued until the connection is closed."""
        while data := self._outbox.get():
            try:
                self._socket.sendall(data)
            except OSError:
                return  # it is gone, as its reader will notice
            self._waiting_bytes -= len(data)

    def lines(self) -> Iterable[bytes]:
        """Complete lines, until the other end closes."""
        rest = b""
        while len(rest) <= _LONGEST_REQUEST_BYTES:
            try:
                chunk = self._socket.recv(_CHUNK_BYTES)
            except OSError:
                return
            if not chunk:
                return
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
        raise _RequestTooLongError(f"a line of more than {_LONGEST_REQUEST_BYTES} bytes")

    def close(self) -> None:
        """End the connection and both of its loops."""
        self._outbox.put(b"")
        with contextlib.suppress(OSError):  # the other end may be faster
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def encode(message: Message) -> bytes:
    """One message as one line."""
    return _encoder.encode(message) + b"\n"


def listen(path: Path) -> Any:
    """A socket at `path` that only its owner can connect to; one left by the dead is replaced.

    Raises:
        StartError: somebody else serves `path`.
        OSError: it cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with socket_address(path) as address:
        _remove_dead(path, address)
        mask = os.umask(0o177)
        try:
            listener.bind(address)
        finally:
            os.umask(mask)
    listener.listen()
    return listener


def _remove_dead(path: Path, address: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(address)
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            path.unlink()
            return
    raise StartError(f"another controller serves {path}")

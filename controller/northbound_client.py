"""A client of the northbound socket, for plain blocking code; see docs/northbound.md."""

from __future__ import annotations

import socket
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import get_args

import msgspec

from controller.messages import FromClient, FromController
from controller.socket_address import socket_address

_CHUNK_BYTES = 1 << 16
_RETRY_S = 0.02

_decoder: msgspec.json.Decoder[FromController] = msgspec.json.Decoder(FromController)
_KNOWN = {kind.__struct_config__.tag for kind in get_args(FromController)}


class _Typed(msgspec.Struct):
    type: str


def connect(path: Path, timeout_s: float = 10.0) -> NorthboundClient:
    """Connect to the socket at `path`, waiting up to `timeout_s` for a controller to serve it.

    Raises:
        OSError: nobody serves it (FileNotFoundError, ConnectionRefusedError), or it is not ours.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with socket_address(path) as address:
                connection.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() >= deadline_s:
                raise
            time.sleep(_RETRY_S)
        except OSError:
            connection.close()
            raise
        else:
            return NorthboundClient(connection)


class NorthboundClient:
    """One connection. Its first messages are the snapshot, `Hello` first of all.

    It may be registered with a selector; then take messages with `receive(0)` until there is
    none, since more than one may have arrived at once.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def fileno(self) -> int:
        """File descriptor, readable when something has arrived or the controller is gone."""
        return self._socket.fileno()

    def receive(self, timeout_s: float | None = None) -> FromController | None:
        """Return the next message, or None if none is complete within `timeout_s` (None: wait).

        Messages of types that this version does not know are passed over.

        Raises:
            ConnectionError: the controller has closed the connection.
            msgspec.DecodeError: a line is not a message of this protocol version.
        """
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while (line := self._next_line(deadline_s)) is not None:
            if (message := _decode(line)) is not None:
                return message
        return None

    def _next_line(self, deadline_s: float | None) -> bytes | None:
        while not self._lines:
            left_s = None if deadline_s is None else max(0.0, deadline_s - time.monotonic())
            self._socket.settimeout(left_s)
            try:
                chunk = self._socket.recv(_CHUNK_BYTES)
            except (BlockingIOError, TimeoutError):
                return None
            if not chunk:
                raise ConnectionResetError("the controller has closed the northbound connection")
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self._lines.extend(lines)
        return self._lines.popleft()

    def send(self, request: FromClient) -> None:
        """Send a request; its answer comes as a message with the same `request_id`.

        Raises:
            OSError: the controller is gone.
        """
        self._socket.settimeout(None)
        self._socket.sendall(msgspec.json.encode(request) + b"\n")

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def __enter__(self) -> NorthboundClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _decode(line: bytes) -> FromController | None:
    """The message; None when its type is unknown."""
    try:
        return _decoder.decode(line)
    except msgspec.ValidationError:
        if msgspec.json.decode(line, type=_Typed).type in _KNOWN:
            raise
        return None

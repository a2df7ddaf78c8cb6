"""How the supervisor asks its link daemon: from any thread, several requests under way at once."""

from __future__ import annotations

import socket
import threading
import time
from concurrent import futures
from itertools import count

import msgspec

from testbed.links.backend import LinkError
from testbed.links.protocol import MAX_MESSAGE_BYTES, Answer, Answered, Asked, Failed, Request

_ANSWER_S = 10.0
"""An answer that takes longer (after the instant asked for) does not come any more."""
_ENDED = "the link daemon has ended"


class DaemonClient:
    """The supervisor's end of the control socket."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._numbers = count()
        self._waiting: dict[int, futures.Future[Answer]] = {}
        self._lock = threading.Lock()
        self._ended = False
        threading.Thread(target=self._listen, name="link-daemon-answers", daemon=True).start()

    def ask(self, request: Request) -> Answer:
        """Send a request and wait for its answer, which comes after the request's `at_s`.

        Raises:
            LinkError: the daemon has refused, has ended, or does not answer.
        """
        answer: futures.Future[Answer] = futures.Future()
        with self._lock:
            if self._ended:
                raise LinkError(_ENDED)
            number = next(self._numbers)
            self._waiting[number] = answer
            try:
                self._control.send(msgspec.json.encode(Asked(number, request)))
            except OSError as error:
                del self._waiting[number]
                raise LinkError(f"the link daemon cannot be reached: {error}") from error
        try:
            answered = answer.result(max(0.0, request.at_s - time.monotonic()) + _ANSWER_S)
        except futures.TimeoutError as error:
            raise LinkError("the link daemon does not answer") from error
        if isinstance(answered, Failed):
            raise LinkError(f"the link daemon refused: {answered.reason}")
        return answered

    def _listen(self) -> None:
        decoder = msgspec.json.Decoder(Answered)
        while message := self._next_message():
            answered = decoder.decode(message)
            with self._lock:
                waiting = self._waiting.pop(answered.number)
            waiting.set_result(answered.answer)
        with self._lock:
            self._ended = True
            for waiting in self._waiting.values():
                waiting.set_exception(LinkError(_ENDED))

    def _next_message(self) -> bytes:
        try:
            return self._control.recv(MAX_MESSAGE_BYTES)
        except OSError:
            return b""  # the daemon died with a request of ours unread

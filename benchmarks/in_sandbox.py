"""A measurement in a sandbox of its own: what is asked goes in, what was measured comes back."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from testbed import openvswitch, sandbox
from testbed.reference.measuring import last_line
from testbed.sandbox import Sandbox

Request = TypeVar("Request")
Answer = TypeVar("Answer")


def ask(sandbox_: Sandbox, module: str, request: object, kind: type[Answer]) -> Answer:
    """Have `module` answer a request inside a sandbox, where it calls `serve`.

    Raises:
        MeasurementError: it could not.
    """
    return msgspec.json.decode(
        last_line(sandbox_, [module], msgspec.json.encode(request)), type=kind
    )


def serve(kind: type[Request], measure: Callable[[Request, Path], object]) -> None:
    """Answer the request on standard input, as the first process of a sandbox.

    `measure` is given a folder for whatever the lab writes; it goes with the sandbox.
    """
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=kind)
    sandbox.furnish(openvswitch.environment())
    with tempfile.TemporaryDirectory(dir="/run") as folder:
        answer = measure(request, Path(folder))
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
    sys.stdout.buffer.flush()

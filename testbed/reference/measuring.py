"""Carries out measures from outside: a sandbox for each, typed requests in, typed results out."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import msgspec

from testbed.reference.capacity import Capacity, Carried
from testbed.reference.delay import Delay, DelayError
from testbed.reference.errors import MeasurementError
from testbed.reference.loss import Loss, Lost
from testbed.reference.queueing import Queueing, Waited
from testbed.reference.quiet import await_quiet
from testbed.reference.rate import Goodput, Overload, Overloaded, Tcp
from testbed.reference.start import Start, Started
from testbed.sandbox import Sandbox

Measure = Delay | Tcp | Overload | Queueing | Loss | Capacity | Start
Figures = DelayError | Goodput | Overloaded | Waited | Lost | Carried | Started


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The measure could not be carried out."""

    reason: str


_answers: msgspec.json.Decoder[Figures | Failed] = msgspec.json.Decoder(Figures | Failed)


def measure(what: Measure, backend: str, sandbox: Sandbox) -> Figures:
    """Carry out one measure on links of `backend` ("userspace", "kernel", or "veth": plain).

    Raises:
        MeasurementError: it could not be carried out; the message says why.
        SandboxUnavailableError: see `sandbox`.
    """
    await_quiet()
    line = last_line(sandbox, ["testbed.reference", backend], msgspec.json.encode(what))
    answer = _answers.decode(line)
    if isinstance(answer, Failed):
        raise MeasurementError(answer.reason)
    return answer


def last_line(sandbox: Sandbox, module: Sequence[str], request: bytes = b"") -> bytes:
    """Run a module of ours, with its arguments, in a sandbox; the last line that it printed.

    Raises:
        MeasurementError: it failed, with its last words.
    """
    process = subprocess.Popen(
        sandbox.command([sys.executable, "-m", *module]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A file of the user's named like one of our modules must not take its place.
        env={**os.environ, "PYTHONSAFEPATH": "1"},
        start_new_session=True,  # Ctrl-C reaches us alone, and we end it
    )
    try:
        output, errors = process.communicate(request)
    finally:
        process.kill()
        process.wait()
    lines = output.splitlines()
    if process.returncode != 0 or not lines:
        words = errors.decode(errors="replace").strip().splitlines()
        raise MeasurementError(words[-1] if words else "it ended without a word")
    return lines[-1]

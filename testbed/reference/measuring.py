"""Carries out measures from outside: a sandbox for each, typed requests in, typed results out."""

from __future__ import annotations

import subprocess
import sys

import msgspec

from testbed.reference.capacity import Capacity, Carried
from testbed.reference.delay import Delay, DelayError
from testbed.reference.errors import MeasurementError
from testbed.reference.loss import Loss, Lost
from testbed.reference.queueing import Queueing, Waited
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
        MeasurementError: it could not be carried out.
        SandboxUnavailableError: see `sandbox`.
    """
    # A session of its own: Ctrl-C reaches us alone, and we end it.
    process = subprocess.Popen(
        sandbox.command([sys.executable, "-m", "testbed.reference", backend]),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(msgspec.json.encode(what))
    finally:
        process.kill()
        process.wait()
    lines = output.splitlines()
    if not lines:
        words = errors.decode(errors="replace").strip().splitlines()
        raise MeasurementError(f"{what.describe()}: {words[-1] if words else 'no last words'}")
    answer = _answers.decode(lines[-1])
    if isinstance(answer, Failed):
        raise MeasurementError(f"{what.describe()}: {answer.reason}")
    return answer

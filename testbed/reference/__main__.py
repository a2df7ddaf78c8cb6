"""Carries out one measure inside a sandbox: a request on standard input, a line of JSON back."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from testbed import openvswitch, sandbox
from testbed.links.backend import LinkError
from testbed.links.timer import forbid_timer_slack
from testbed.reference.errors import MeasurementError
from testbed.reference.measuring import Failed, Figures, Measure


def main() -> None:
    """Measure links of the backend named by the only argument."""
    sandbox.furnish(openvswitch.environment())
    forbid_timer_slack()
    what: Measure = msgspec.json.decode(sys.stdin.buffer.read(), type=Measure)
    answer: Figures | Failed
    with tempfile.TemporaryDirectory(prefix="twinbed-reference-", dir="/run") as logs:
        try:
            answer = what.carry_out(sys.argv[1], Path(logs))
        except (MeasurementError, LinkError, OSError, subprocess.SubprocessError) as error:
            answer = Failed(str(error))
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")


if __name__ == "__main__":
    main()

"""The programs of a lab, each really used once in a sandbox of its own.

`python -m testbed.rehearsal NAME` is process 1 of that sandbox: it prints what it saw, or ends
with the program's own words. The programs that it started end with it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from testbed import frr, openvswitch, sandbox
from testbed.attempt import Finding, attempt, last_line
from testbed.host_exec import await_udp_port
from testbed.links.backend import LinkError

Program = Literal["ovs", "iperf", "irtt", "frr"]

_LOGS = Path("/run")
_START_S = 10.0
_BRIDGE = "probe0"
_PORT = 5001
_DATAGRAMS = 100
_PAYLOAD_BYTES = 1400
_LOST_OF_SENT = re.compile(r"(\d+)/ *(\d+) +\(")
"""Of iperf's report, e.g. "0/101 (0%)"."""


class RehearsalError(Exception):
    """A program did not do what a lab needs of it; the message holds its own words."""


_FAILURES = (
    RehearsalError,
    LinkError,
    openvswitch.OpenVSwitchError,
    subprocess.CalledProcessError,
    OSError,
    ValueError,
)


def rehearse(program: Program, sandbox: sandbox.Sandbox) -> Finding:
    """Use a program the way a lab does; takes some 0.3 s each."""
    return attempt(sandbox.command([sys.executable, "-m", "testbed.rehearsal", program]))


def main() -> None:
    """Rehearse the program named by the only argument."""
    try:
        sandbox.furnish(openvswitch.environment())
        seen = _REHEARSALS[sys.argv[1]]()
    except FileNotFoundError as error:
        sys.exit(f"no command {error.filename}")
    except _FAILURES as error:
        sys.exit(str(error))
    sys.stdout.write(f"{seen}\n")


def _userspace_bridge() -> str:
    """A bridge of the userspace datapath answers OpenFlow 1.3."""
    openvswitch.start(_LOGS)
    kind = ["datapath_type=netdev", "protocols=OpenFlow13"]
    try:
        _run("ovs-vsctl", "add-br", _BRIDGE, "--", "set", "bridge", _BRIDGE, *kind)
        _run("ovs-ofctl", "--protocols=OpenFlow13", "show", _BRIDGE)
    except RehearsalError as error:
        log = (_LOGS / "ovs-vswitchd.log").read_text(errors="replace")
        words = last_line(log).rpartition("|")[2]  # after instant, number, module and level
        raise RehearsalError(words or str(error)) from error
    return "a bridge answers OpenFlow 1.3"


def _datagrams() -> str:
    """The server reports the datagrams of a client."""
    server = _serve(["iperf", "-s", "-u", "-p", str(_PORT)], _PORT)
    report = _run(
        *("iperf", "-u", "-c", "127.0.0.1", "-p", str(_PORT), "-b", "10m"),
        *("-l", str(_PAYLOAD_BYTES), "-n", str(_DATAGRAMS * _PAYLOAD_BYTES)),
    )
    if server.poll() is not None:
        raise RehearsalError(f"the iperf server ended with exit code {server.returncode}")
    return f"{_arrived(report)} datagrams arrived over loopback"


def _arrived(report: str) -> int:
    found = _LOST_OF_SENT.search(report)
    arrived = int(found[2]) - int(found[1]) if found else 0
    if arrived <= 0:
        raise RehearsalError(f"nothing arrived over loopback: {last_line(report) or 'no report'}")
    return arrived


def _echoes() -> str:
    """The server sends the packets of a client back."""
    _serve(["irtt", "server", "-i", "0", "-b", f"127.0.0.1:{_PORT}"], _PORT)
    client = ["irtt", "client", "-Q", "-i", "5ms", "-d", "100ms", "--wait=3x1s", "-o", "-"]
    report = json.loads(_run(*client, f"127.0.0.1:{_PORT}"))["stats"]
    sent, received = report["packets_sent"], report["packets_received"]
    if not received:
        raise RehearsalError(f"none of {sent} packets came back over loopback")
    return f"{received} of {sent} packets came back over loopback"


def _routing() -> str:
    """zebra answers, among daemons' settings of this sandbox."""
    frr.furnish()
    frr.write_configuration(frr.RouterSettings(_BRIDGE, "10.255.0.1", {}, (), 50))
    log = _LOGS / "zebra.log"
    with log.open("wb") as output:
        zebra = subprocess.Popen(
            frr.command(_BRIDGE, "zebra"), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    deadline_s = time.monotonic() + _START_S
    while not frr.socket_of_zebra(_BRIDGE).exists():
        if zebra.poll() is not None or time.monotonic() > deadline_s:
            raise RehearsalError(last_line(log.read_text(errors="replace")) or "no zebra")
        time.sleep(0.005)
    frr.ask(_BRIDGE, "zebra", "show version")
    return "zebra answers"


_REHEARSALS: Mapping[str, Callable[[], str]] = {
    "ovs": _userspace_bridge,
    "iperf": _datagrams,
    "irtt": _echoes,
    "frr": _routing,
}


def _serve(argv: Sequence[str], port: int) -> subprocess.Popen[bytes]:
    """Start a server and wait until it has bound its UDP port."""
    log = _LOGS / f"{argv[0]}.log"
    with log.open("wb") as output:
        server = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    if not await_udp_port(server, port, time.monotonic() + _START_S):
        words = last_line(log.read_text(errors="replace"))
        raise RehearsalError(words or f"the {argv[0]} server did not start")
    return server


def _run(*argv: str) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        words = last_line(done.stderr) or last_line(done.stdout)
        raise RehearsalError(words or f"{argv[0]}: exit code {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()

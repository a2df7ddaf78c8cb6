"""Traffic over one link with iperf 2: a load of UDP, and the goodput of one TCP connection."""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from testbed.host_exec import await_udp_port
from testbed.reference.errors import MeasurementError
from testbed.reference.network import ReferenceNetwork

_PORT = 5001
_START_S = 5.0
_SEND_BUFFER = "208K"
"""Frames that wait in a queue of the same kernel are charged to their sender: its usual buffer is
full with some 74 of 1,514 bytes (socket(7), SO_SNDBUF, which the kernel doubles)."""
_LONGEST_S = 600
_UDP_PAYLOAD_BYTES = 1472
UDP_FRAME_BYTES = 14 + 20 + 8 + _UDP_PAYLOAD_BYTES
"""A whole Ethernet frame at an MTU of 1500, without FCS: what a link's rate counts."""

_INTERVAL = re.compile(r"^\[ *\d+\] +([\d.]+)- *([\d.]+) sec +(\d+) Bytes ", re.MULTILINE)


@contextmanager
def udp_load(network: ReferenceNetwork, link: int, rate_bps: float) -> Iterator[None]:
    """Full-size datagrams from the near end to the far end, `rate_bps` of Ethernet frames.

    Raises:
        MeasurementError: iperf did not start, or ended before the block did.
    """
    payload_bps = rate_bps * _UDP_PAYLOAD_BYTES / UDP_FRAME_BYTES
    server = network.start_far(["iperf", "-s", "-u", "-p", str(_PORT)])
    target = [*("-c", network.address(link)), *("-p", str(_PORT))]
    what = [
        *("-l", str(_UDP_PAYLOAD_BYTES)),
        *("-b", f"{payload_bps:.0f}"),
        *("-t", f"{_LONGEST_S}"),
        *("-w", _SEND_BUFFER),
    ]
    processes = [server]
    try:
        if not await_udp_port(server, _PORT, time.monotonic() + _START_S):
            raise MeasurementError("the iperf server did not start")
        client = subprocess.Popen(["iperf", "-u", *target, *what], stdout=subprocess.DEVNULL)
        processes.append(client)
        yield
        if client.poll() is not None:
            raise MeasurementError("the iperf client ended too early")
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


def tcp_goodput_bps(network: ReferenceNetwork, link: int, seconds: int, skipped_s: float) -> float:
    """Payload that one TCP connection delivers a second, after its first `skipped_s`.

    Raises:
        MeasurementError: iperf reported nothing.
    """
    with tempfile.TemporaryFile() as report:
        server = network.start_far(["iperf", "-s", "-f", "b", "-i", "0.5"], stdout=report)
        try:
            _await_tcp_port(server)
            client = ["iperf", "-c", network.address(link), "-t", str(seconds)]
            subprocess.run(client, capture_output=True, timeout=seconds + 30, check=False)
        finally:
            server.send_signal(signal.SIGINT)  # on which it flushes its report
            server.wait(timeout=_START_S)
        report.seek(0)
        text = report.read().decode(errors="replace")
    goodput = goodput_bps(text, skipped_s, seconds)
    if goodput is None:
        raise MeasurementError(f"iperf reported no TCP goodput: {text.strip()[-200:] or 'nothing'}")
    return goodput


def goodput_bps(report: str, from_s: float, until_s: float) -> float | None:
    """Bytes of the intervals that lie within [from_s, until_s], as a rate; None if there is none.

    The total, which begins at 0, is left out.
    """
    intervals = [
        (float(start), float(end), int(payload))
        for start, end, payload in _INTERVAL.findall(report)
    ]
    kept = [row for row in intervals if row[0] >= from_s > 0 and row[1] <= until_s + 0.01]
    duration_s = sum(end - start for start, end, _ in kept)
    return 8 * sum(payload for _, _, payload in kept) / duration_s if duration_s else None


def _await_tcp_port(server: subprocess.Popen[bytes]) -> None:
    """Wait until the server listens, by /proc/PID/net/tcp (state 0A is LISTEN)."""
    deadline_s = time.monotonic() + _START_S
    wanted = re.compile(rf":{_PORT:04X} \S+ 0A ")
    while server.poll() is None and time.monotonic() < deadline_s:
        tables = (Path(f"/proc/{server.pid}/net/{table}") for table in ("tcp", "tcp6"))
        if any(wanted.search(table.read_text()) for table in tables if table.exists()):
            return
        time.sleep(0.005)
    raise MeasurementError("the iperf server did not start")

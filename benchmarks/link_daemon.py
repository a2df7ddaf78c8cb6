"""Processor time of the link daemon per frame, at a rate spread over many links.

    python -m benchmarks.link_daemon [LINKS] [FRAMES_PER_S] [SECONDS]

Runs in a sandbox of its own. Frames of 1442 bytes go in at one end of every link in turn, by
packet sockets, and are counted at the other end.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
import tempfile
import time
from pathlib import Path

from testbed import openvswitch, sandbox
from testbed.links.userspace import UserspaceLinks
from topologies.addressing import address
from topologies.model import Link, LinkShape, Switch, Topology

FRAME = b"\xff" * 6 + b"\x02" + b"\x00" * 5 + b"\x88\xb5" + b"\x00" * 1428
ETH_P_ALL = 3


def pairs_of_switches(links: int) -> Topology:
    """As many links that have nothing to do with one another."""
    names = [(f"a{n}", f"b{n}") for n in range(links)]
    shape = LinkShape(rate_bps=100e6, delay_ms=5.0)
    return Topology(
        "pairs",
        tuple(Switch(name, name) for pair in names for name in pair),
        (),
        tuple(Link(a, b, shape) for a, b in names),
    )


def ticks(pid: int) -> int:
    """Processor time of a process so far, in clock ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def packet_socket(interface: str, receive: bool) -> socket.socket:
    """A packet socket bound to an interface."""
    protocol = ETH_P_ALL if receive else 0
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    opened.bind((interface, protocol))
    opened.setblocking(False)
    return opened


def measure(links: int, frames_per_s: int, seconds: float) -> None:
    """Send, count, and print."""
    sandbox.furnish(openvswitch.environment())
    topology = pairs_of_switches(links)
    addressing = address(topology)
    with tempfile.TemporaryDirectory() as folder:
        backend = UserspaceLinks(Path(folder) / "daemon.log")
        backend.create(topology, addressing)
        senders = [
            packet_socket(addressing.interface(link.a, link.b), receive=False)
            for link in topology.links
        ]
        selector = selectors.DefaultSelector()
        for link in topology.links:
            receiver = packet_socket(addressing.interface(link.b, link.a), receive=True)
            selector.register(receiver, selectors.EVENT_READ)
        daemon = backend.processes()["link-daemon"]
        before = ticks(daemon.pid)
        sent = received = 0
        start_s = time.monotonic()
        while (elapsed_s := time.monotonic() - start_s) < seconds + 0.1:
            while sent < min(elapsed_s, seconds) * frames_per_s:
                senders[sent % links].send(FRAME)
                sent += 1
            for key, _ in selector.select(0.0002):
                try:
                    while True:
                        key.fileobj.recv(2048)  # type: ignore[union-attr]
                        received += 1
                except BlockingIOError:
                    continue
        cpu_s = (ticks(daemon.pid) - before) / os.sysconf("SC_CLK_TCK")
        print(
            f"{links} links, {sent / seconds:,.0f} frames/s sent, {received / sent:.1%} arrived, "
            f"{cpu_s / seconds:.0%} of a processor, {cpu_s / sent * 1e6:.1f} us per frame, "
            f"lateness p99 {backend.lateness_p99_ms():.3f} ms"
        )


def main() -> None:
    """Open the sandbox, or measure inside of it."""
    arguments = sys.argv[1:] or ["27", "20000", "5"]
    if arguments[0] != "inside":
        again = [sys.executable, "-m", "benchmarks.link_daemon", "inside", *arguments]
        os.execvp("setpriv", sandbox.probe_sandbox().command(again))
    links, frames_per_s, seconds = arguments[1:]
    measure(int(links), int(frames_per_s), float(seconds))


if __name__ == "__main__":
    main()

"""A real lab whose links are all saturated at once: a ring of switches, a host at each.

    python -m benchmarks.saturated_ring BACKEND SWITCHES SECONDS

inside a sandbox. Every host sends 1.05 times the rate of a link to the next host of the ring, over
Open vSwitch and static flow entries, so that one direction of every core link is full. Prints one
line of JSON.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import msgspec

from results.bounds import Bounds
from results.metrics import fidelity
from results.validity import Judged
from testbed import openvswitch, sandbox
from testbed.fidelity import FidelityMonitor
from testbed.host_exec import await_udp_port
from testbed.links.probing import open_backend
from testbed.network import Network
from testbed.records import FidelitySample, LinkCounters
from testbed.reference.errors import MeasurementError
from testbed.reference.iperf import UDP_FRAME_BYTES
from testbed.reference.measuring import last_line
from testbed.sandbox import Sandbox
from testbed.static_routes import install_routes
from topologies.model import DirectedLink, Host, Link, LinkShape, Routing, Switch, Topology

_RATE_BPS = 10e6
_ACCESS_BPS = 1e9
_OVERLOAD = 1.05
_PORT = 5001
_PAYLOAD_BYTES = 1472
_SETTLE_S = 2.0
_SATURATED_SHARE = 0.99


class Saturated(msgspec.Struct, frozen=True):
    """How the lab bore it."""

    links: int
    seconds: float
    saturated_links: int
    """That delivered 99 % of their rate or more."""
    least_mbps: float
    """What the slowest of them delivered, whole Ethernet frames."""
    cpu_percent: float
    """All processors together, mean."""
    lateness_p99_ms: float
    """Of the worst second."""
    daemon_cpu_percent: float
    switch_cpu_percent: float
    reasons: tuple[str, ...]
    """Why a run like this would be invalid or degraded; none: it would be valid."""


def measure(sandbox_: Sandbox, backend: str, switches: int, seconds: int) -> Saturated:
    """Run it in a sandbox.

    Raises:
        MeasurementError: the lab could not be built, or died.
    """
    module = ["benchmarks.saturated_ring", backend, str(switches), str(seconds)]
    return msgspec.json.decode(last_line(sandbox_, module), type=Saturated)


def ring(switches: int) -> Topology:
    """A ring with a host at every switch."""
    numbers = range(1, switches + 1)
    core, access = LinkShape(_RATE_BPS, delay_ms=2.0), LinkShape(_ACCESS_BPS, delay_ms=0.0)
    following = {number: number % switches + 1 for number in numbers}
    return Topology(
        name="ring",
        switches=tuple(Switch(f"s{n}", f"s{n}") for n in numbers),
        hosts=tuple(Host(f"h{n}", f"h{n}", switch=f"s{n}") for n in numbers),
        links=(
            *(Link(f"s{n}", f"s{following[n]}", core) for n in numbers),
            *(Link(f"h{n}", f"s{n}", access) for n in numbers),
        ),
    )


def _inside(backend: str, switches: int, seconds: int, logs: Path) -> Saturated:
    daemons = openvswitch.start(logs)
    network = Network(ring(switches), open_backend(backend, logs))
    install_routes(network, to_the_next(network.topology))
    with ExitStack() as processes:
        _send(network, processes)
        time.sleep(_SETTLE_S)
        monitor = FidelityMonitor(network.topology, network.links, daemons.ovs_vswitchd.pid)
        network.links.lateness_p99_ms()  # from here on
        start_s, before = time.monotonic(), network.links.counters()
        samples = []
        for second in range(1, seconds + 1):
            time.sleep(max(0.0, start_s + second - time.monotonic()))
            samples.append(monitor.sample())
        elapsed_s, after = time.monotonic() - start_s, network.links.counters()
    return summarise(samples, delivered_mbps(network.topology, before, after, elapsed_s))


def delivered_mbps(
    topology: Topology,
    before: Mapping[DirectedLink, LinkCounters],
    after: Mapping[DirectedLink, LinkCounters],
    elapsed_s: float,
) -> list[float]:
    """What the full direction of every core link gave out."""
    directions = [link.directions[0] for link in topology.core_links]
    frames = [after[each].sent - before[each].sent for each in directions]
    return [count * UDP_FRAME_BYTES * 8 / elapsed_s / 1e6 for count in frames]


def summarise(samples: list[FidelitySample], rates_mbps: list[float]) -> Saturated:
    """Judge what was sampled by the bounds that every run is judged by."""
    enough_mbps = _SATURATED_SHARE * _RATE_BPS / 1e6
    number = len(samples)
    return Saturated(
        links=len(rates_mbps),
        seconds=number,
        saturated_links=sum(rate >= enough_mbps for rate in rates_mbps),
        least_mbps=min(rates_mbps),
        cpu_percent=sum(sample.cpu_percent for sample in samples) / number,
        lateness_p99_ms=max(sample.lateness_p99_ms for sample in samples),
        daemon_cpu_percent=sum(sample.daemon_cpu_percent for sample in samples) / number,
        switch_cpu_percent=sum(sample.switch_cpu_percent or 0.0 for sample in samples) / number,
        reasons=tuple(one.sentence for one in judged(samples) if one.level != "valid"),
    )


def judged(samples: list[FidelitySample]) -> list[Judged]:
    """What a lab without a playbook has of the measures that runs are judged by."""
    measures = {
        "lateness_p99_ms": fidelity.lateness_p99_ms(samples),
        "late_on_end_s": fidelity.late_on_end_s(samples),
        "saturated_on_end_s": fidelity.saturated_on_end_s(samples),
        "switch_wait_percent": fidelity.switch_wait_percent(samples),
    }
    bounds = Bounds()
    return [
        Judged(name, measured, getattr(bounds, name))
        for name, measured in measures.items()
        if measured is not None
    ]


def to_the_next(topology: Topology) -> Routing:
    """From every host to the next one of the ring."""
    hosts, switch_of = [host.name for host in topology.hosts], topology.switch_of
    return {
        (source, target): (switch_of[source], switch_of[target])
        for source, target in zip(hosts, (*hosts[1:], hosts[0]), strict=True)
    }


def _send(network: Network, processes: ExitStack) -> None:
    """Start a sink in every host and then a source, until the stack is left."""
    hosts = [host.name for host in network.topology.hosts]
    sinks = [network.hosts.start(host, ["iperf", "-s", "-u", "-p", f"{_PORT}"]) for host in hosts]
    for sink in sinks:
        processes.callback(sink.kill)
        if not await_udp_port(sink, _PORT, time.monotonic() + 10):
            raise MeasurementError("an iperf server did not start")
    payload_bps = _OVERLOAD * _RATE_BPS * _PAYLOAD_BYTES / UDP_FRAME_BYTES
    for source, target in to_the_next(network.topology):
        argv = [
            *("iperf", "-u", "-c", network.addressing.ipv4[target], "-p", f"{_PORT}"),
            *("-l", f"{_PAYLOAD_BYTES}", "-b", f"{payload_bps:.0f}", "-t", "600"),
        ]
        processes.callback(network.hosts.start(source, argv).kill)


def main() -> None:
    """Measure inside the sandbox that this process is the first of."""
    backend, switches, seconds = sys.argv[1:]
    sandbox.furnish(openvswitch.environment())
    with tempfile.TemporaryDirectory(dir="/run") as logs:  # goes with the sandbox
        saturated = _inside(backend, int(switches), int(seconds), Path(logs))
    sys.stdout.buffer.write(msgspec.json.encode(saturated) + b"\n")


if __name__ == "__main__":
    main()

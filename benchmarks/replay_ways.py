"""Ways to replay a schedule on the hosts of a lab: ours, and what one would do without it.

All send packets of the size that the plan of our replay gives each pair.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from generators.replay import Replay
from generators.replay_plan import Stream, plan
from generators.schedule import Schedule
from testbed.host_exec import await_udp_port
from testbed.network import Network
from testbed.reference.errors import MeasurementError

_PORT = 5001
_START_S, _END_S = 20.0, 10.0


@dataclass(frozen=True)
class Demand:
    """What one pair is asked to send in one step."""

    pair: int
    """Its number."""
    stream: Stream
    """The pair's, with all its steps."""
    step: int
    rate_bps: float

    @property
    def payload_rate_bps(self) -> float:
        """In the count of iperf, which is of payloads."""
        return self.rate_bps * self.stream.payload_bytes / self.stream.frame_bytes

    @property
    def packets_per_s(self) -> float:
        """In packets of the stream's size."""
        return self.rate_bps / (8 * self.stream.frame_bytes)


def demands(schedule: Schedule) -> list[Demand]:
    """Everything that a schedule asks for, step by step."""
    number = {host: index for index, host in enumerate(schedule.hosts)}
    pairs = [
        (s, schedule.matrices_bps[:, number[s.source], number[s.target]]) for s in plan(schedule)
    ]
    return [
        Demand(pair, stream, step, float(rates_bps[step]))
        for step in range(schedule.steps)
        for pair, (stream, rates_bps) in enumerate(pairs)
        if rates_bps[step] > 0
    ]


class Way(Protocol):
    """One way; it is used once."""

    def __init__(self, network: Network, schedule: Schedule, folder: Path) -> None: ...

    def prepare(self) -> None:
        """Start what must run before the schedule does."""

    def play(self, start_s: float) -> None:
        """Carry the schedule out from `start_s` (CLOCK_MONOTONIC) on, and end everything."""


class Ours:
    """The replay of every run."""

    def __init__(self, network: Network, schedule: Schedule, folder: Path) -> None:
        offset_s = time.time() - time.monotonic()
        records = folder / "traffic.jsonl"
        addresses = network.addressing.ipv4
        self._replay = Replay(plan(schedule), network.hosts, addresses, records, offset_s)

    def prepare(self) -> None:
        """The servers."""
        self._replay.start_servers()

    def play(self, start_s: float) -> None:
        """The clients.

        Raises:
            MeasurementError: some failed.
        """
        self._replay.start(start_s)
        self._replay.wait()
        if self._replay.problems:
            raise MeasurementError("; ".join(self._replay.problems[:3]))


class Restarts:
    """A client for every pair and step, started when the step begins."""

    def __init__(self, network: Network, schedule: Schedule, folder: Path) -> None:
        self._hosts = network.hosts
        self._ipv4: Mapping[str, str] = network.addressing.ipv4
        self._schedule = schedule
        self._folder = folder
        self._servers: list[subprocess.Popen[bytes]] = []

    def play(self, start_s: float) -> None:
        """One client after the other, as fast as they can be started."""
        clients = []
        for demand in demands(self._schedule):
            step_s = start_s + demand.step * self._schedule.interval_s
            time.sleep(max(0.0, step_s - time.monotonic()))
            clients.append(self._hosts.start(demand.stream.source, self._client(demand)))
        _end(clients, self._servers)

    def _client(self, demand: Demand) -> list[str]:
        raise NotImplementedError

    def _common(self, demand: Demand) -> list[str]:
        """Words that iperf 2 and 3 share."""
        stream = demand.stream
        return [
            *("-c", self._ipv4[stream.target], "-u", "-l", f"{stream.payload_bytes}"),
            *("-b", f"{demand.payload_rate_bps:.0f}", "-t", f"{self._schedule.interval_s:g}"),
        ]


class Iperf2Restarts(Restarts):
    """With iperf 2."""

    def prepare(self) -> None:
        """A server in every host.

        Raises:
            MeasurementError: one did not start.
        """
        for host in self._schedule.hosts:
            argv = ["iperf", "-s", "-u", "-p", f"{_PORT}"]
            self._servers.append(self._hosts.start(host, argv))
        for server in self._servers:
            if not await_udp_port(server, _PORT, time.monotonic() + _START_S):
                raise MeasurementError("an iperf server did not start")

    def _client(self, demand: Demand) -> list[str]:
        return ["iperf", *self._common(demand), "-p", f"{_PORT}"]


class Iperf3Restarts(Restarts):
    """With iperf 3, whose servers carry out one test at a time: two for every pair take turns."""

    def prepare(self) -> None:
        """The servers.

        Raises:
            MeasurementError: one did not start.
        """
        every = sorted({(d.stream.target, self._port(d)) for d in demands(self._schedule)})
        for host, port in every:
            self._servers.append(self._hosts.start(host, ["iperf3", "-s", "-p", f"{port}"]))
        deadline_s = time.monotonic() + _START_S
        for server, (_, port) in zip(self._servers, every, strict=True):
            while not _listens(server.pid, port):
                if time.monotonic() > deadline_s:
                    raise MeasurementError("an iperf3 server did not start")
                time.sleep(0.01)

    def _client(self, demand: Demand) -> list[str]:
        return ["iperf3", *self._common(demand), "-p", f"{self._port(demand)}"]

    def _port(self, demand: Demand) -> int:
        return _PORT + 2 * demand.pair + demand.step % 2


class Mgen:
    """MGEN: one process a host, whose script changes the rates of its flows."""

    def __init__(self, network: Network, schedule: Schedule, folder: Path) -> None:
        self._hosts = network.hosts
        self._ipv4: Mapping[str, str] = network.addressing.ipv4
        self._schedule = schedule
        self._folder = folder
        self._receivers: list[subprocess.Popen[bytes]] = []

    def prepare(self) -> None:
        """Who receives.

        Raises:
            MeasurementError: one did not start.
        """
        for host in self._schedule.hosts:
            argv = ["mgen", "port", f"{_PORT}", "nolog"]
            self._receivers.append(self._hosts.start(host, argv))
        for receiver in self._receivers:
            if not await_udp_port(receiver, _PORT, time.monotonic() + _START_S):
                raise MeasurementError("mgen did not start")

    def play(self, start_s: float) -> None:
        """Start the senders, which begin at the same instant by the clock of the day."""
        unix_s = start_s + time.time() - time.monotonic()
        begin = f"{time.strftime('%H:%M', time.gmtime(unix_s))}:{unix_s % 60:.6f}"
        senders = []
        for host in self._schedule.hosts:
            script = self._folder / f"{host}.mgn"
            script.write_text("\n".join(self._script(host)) + "\n")
            argv = ["mgen", "input", str(script), "start", f"{begin}GMT", "nolog"]
            senders.append(self._hosts.start(host, argv))
        time.sleep(max(0.0, start_s + self._schedule.duration_s + 0.5 - time.monotonic()))
        for process in (*senders, *self._receivers):
            process.terminate()
        _end(senders, self._receivers)

    def _script(self, host: str) -> Iterator[str]:
        """The events of a host's flows: on, changed, off."""
        interval_s, steps = self._schedule.interval_s, self._schedule.steps
        of_pair: dict[int, dict[int, Demand]] = {}
        for demand in demands(self._schedule):
            if demand.stream.source == host:
                of_pair.setdefault(demand.pair, {})[demand.step] = demand
        events: list[tuple[float, str]] = []
        for number, (pair, by_step) in enumerate(of_pair.items(), start=1):
            is_on = False
            for step in range(steps):
                at_s, asked = step * interval_s, by_step.get(step)
                if asked is None:
                    if is_on:
                        events.append((at_s, f"OFF {number}"))
                else:
                    ends = f" UDP SRC {6000 + pair} DST {self._ipv4[asked.stream.target]}/{_PORT}"
                    verb = f"MOD {number}" if is_on else f"ON {number}{ends}"
                    pace = f"{asked.packets_per_s:.6f} {asked.stream.payload_bytes}"
                    events.append((at_s, f"{verb} PERIODIC [{pace}]"))
                is_on = asked is not None
            if is_on:
                events.append((steps * interval_s, f"OFF {number}"))
        for at_s, event in sorted(events, key=lambda each: each[0]):
            yield f"{at_s:.3f} {event}"


def _listens(pid: int, port: int) -> bool:
    """Whether a TCP port is open in the network namespace of a process."""
    rows = Path(f"/proc/{pid}/net/tcp").read_text() + Path(f"/proc/{pid}/net/tcp6").read_text()
    return f":{port:04X} " in rows


def _end(
    clients: Sequence[subprocess.Popen[bytes]], servers: Sequence[subprocess.Popen[bytes]]
) -> None:
    """Wait for the clients, then end the servers."""
    deadline_s = time.monotonic() + _END_S
    for process in clients:
        try:
            process.wait(max(0.01, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
    for process in servers:
        process.kill()
    for process in (*clients, *servers):
        process.wait()


@dataclass(frozen=True)
class Contender:
    """A way by its name, and the program that it takes, with the Debian package."""

    way: Callable[[Network, Schedule, Path], Way]
    program: str
    package: str


CONTENDERS: Mapping[str, Contender] = {
    "ours": Contender(Ours, "iperf", "iperf"),
    "iperf restarts": Contender(Iperf2Restarts, "iperf", "iperf"),
    "iperf3 restarts": Contender(Iperf3Restarts, "iperf3", "iperf3"),
    "MGEN": Contender(Mgen, "mgen", "mgen"),
}

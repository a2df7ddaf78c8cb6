"""Replays a planned schedule with iperf across the hosts; records what was sent and received."""

from __future__ import annotations

import os
import selectors
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import IO

import msgspec

from generators.iperf import (
    Connected,
    FlowMeter,
    client_argv,
    parse_server_line,
    server_argv,
)
from generators.records import Received, Segment
from generators.replay_plan import LEAD_S, PlannedSegment
from generators.replay_processes import OVERTIME_S, Client, Flow, Server, last_line, unsent
from testbed.host_exec import HostExec, await_udp_port

_LAUNCH_GAP_S = 0.003
"""Least time between two process starts, so that a step of the schedule is no burst of load."""

_FIRST_WORKLOAD_PORT, _FIRST_ATTACK_PORT = 5001, 5501
_WORKLOAD_INTERVAL_S, _ATTACK_INTERVAL_S = 1.0, 0.1
_CLIENT_PORTS = range(6000, 32000)
"""A port of its own for every client tells flows apart; below Linux's ephemeral ports."""

_SERVER_START_S = 5.0
_IN_FLIGHT_S = 1.0
"""How long packets may be under way once the last client has ended."""
_SERVER_STOP_S = 3.0
_LONGEST_WAIT_S = 0.05
_LATE_START_S = 0.05
"""A client that is late begins this long after it was launched: iperf takes no time in the past."""


class ReplayError(Exception):
    """The replay could not be set up; the message names every host and reason."""


class Replay:
    """Runs the clients of a plan on an absolute timeline, in a thread of its own.

    `Segment` and `Received` records are appended to `output` as they become known. The times of
    `Received` are those of its clients (both count from the same instant of their common clock);
    only if a flow's first datagram was lost they count from when the server reported the flow,
    a few ten milliseconds late.
    """

    def __init__(
        self,
        segments: Sequence[PlannedSegment],
        hosts: HostExec,
        ipv4: Mapping[str, str],
        output: Path,
        realtime_minus_monotonic_s: float,
    ) -> None:
        self._waiting = deque(sorted(segments, key=lambda segment: segment.start_s))
        self._hosts = hosts
        self._ipv4 = ipv4
        self._output = output
        self._realtime_minus_monotonic_s = realtime_minus_monotonic_s
        self._servers: list[Server] = []
        self._clients: list[Client] = []
        self._flow_of_source: dict[tuple[str, int], Flow] = {}
        self._launched_on: Counter[str] = Counter()
        self._problems: list[str] = []
        self._ports: frozenset[tuple[str, bool, int]] = frozenset()
        self._down: set[str] = set()
        self._crashed_s: dict[str, float] = {}
        self._restarted: deque[Server] = deque()
        """Started again by another thread, to be taken in by ours."""
        self._stopping = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="replay")
        self._ended: Future[None] | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """What has gone wrong so far, one sentence each: clients that failed, servers that died."""
        return tuple(self._problems)

    def start_servers(self) -> None:
        """Start a server on every host that is to receive, and wait until all ports are bound.

        Raises:
            ReplayError: some did not start; those that did are ended.
        """
        self._ports = frozenset((s.target, s.attack, _port(s)) for s in self._waiting)
        for server in self._start_servers(self._ports):
            self._join(server)

    def host_crashed(self, host: str, at_s: float) -> None:
        """Expect the end of everything in `host`, at `at_s`; nothing is started there any more."""
        self._crashed_s[host] = at_s
        self._down.add(host)

    def host_restarted(self, host: str) -> None:
        """Start the servers of `host` again; flows towards it count on from their next packet.

        Raises:
            ReplayError: a server did not start.
        """
        self._down.discard(host)
        for server in self._start_servers(port for port in self._ports if port[0] == host):
            self._restarted.append(server)

    def _start_servers(self, ports: Iterable[tuple[str, bool, int]]) -> list[Server]:
        servers = []
        for host, attack, port in sorted(ports):
            interval_s = _ATTACK_INTERVAL_S if attack else _WORKLOAD_INTERVAL_S
            argv = server_argv(port, interval_s)
            process = self._hosts.start(host, argv, subprocess.PIPE, subprocess.STDOUT)
            servers.append(Server(host, port, process, time.monotonic()))
        deadline_s = time.monotonic() + _SERVER_START_S
        failed = [s for s in servers if not await_udp_port(s.process, s.port, deadline_s)]
        if failed:
            for server in servers:
                server.process.kill()
            words = [last_line(s.process.communicate()[0].decode()) for s in servers]
            reasons = [
                f"{server.host}: {said}"
                for server, said in zip(servers, words, strict=True)
                if server in failed
            ]
            raise ReplayError(f"the iperf server did not start on {'; '.join(reasons)}")
        return servers

    def _join(self, server: Server) -> None:
        self._servers.append(server)
        self._selector.register(_stdout(server.process), selectors.EVENT_READ, server)

    def start(self, t0_s: float) -> None:
        """Begin; `t0_s` is the schedule's start in CLOCK_MONOTONIC, at least `LEAD_S` from now."""
        self._ended = self._thread.submit(self._run, t0_s)
        self._thread.shutdown(wait=False)

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until all clients and servers have ended and everything is recorded.

        Raises:
            TimeoutError: it is not over yet.
        """
        if self._ended is None:
            return
        try:
            self._ended.result(timeout_s)
        except FutureTimeoutError:  # another one than TimeoutError before Python 3.11; wordless
            message = f"clients or servers of the traffic had not ended {timeout_s:g} s after it"
            raise TimeoutError(message) from None

    def stop(self) -> None:
        """End the replay before its time and wait for the end; servers alone are ended too."""
        self._stopping.set()
        if self._ended is None:
            self.start(time.monotonic())
        self.wait()

    def _run(self, t0_s: float) -> None:
        with self._output.open("ab", buffering=0) as records, self._selector:
            last_launch_s = 0.0
            while self._waiting or self._clients:
                if self._stopping.is_set():
                    self._waiting.clear()
                    self._kill(self._clients, "the replay was stopped")
                while self._restarted:
                    self._take_in(self._restarted.popleft())
                wait_s = _LONGEST_WAIT_S
                if self._waiting:
                    launch_s = t0_s + self._waiting[0].start_s - LEAD_S
                    wait_s = max(launch_s, last_launch_s + _LAUNCH_GAP_S) - time.monotonic()
                    if wait_s <= 0:
                        self._launch(self._waiting.popleft(), t0_s, records)
                        last_launch_s, wait_s = time.monotonic(), _LAUNCH_GAP_S
                self._read(records, min(wait_s, _LONGEST_WAIT_S))
                overdue = [c for c in self._clients if time.monotonic() > c.deadline_s]
                self._kill(overdue, f"still running {OVERTIME_S:g} s after its end")
            self._end_servers(records)

    def _take_in(self, server: Server) -> None:
        """A restarted server knows no flow: those that are still being sent are new to it."""
        self._join(server)
        for flow in self._flow_of_source.values():
            if flow.segment.target == server.host and _port(flow.segment) == server.port:
                flow.meter = FlowMeter(flow.segment.sending.payload_bytes)
                flow.is_known = False

    def _launch(self, segment: PlannedSegment, t0_s: float, records: IO[bytes]) -> None:
        due_s = t0_s + segment.start_s
        if segment.source in self._down:
            crashed_s = self._crashed_s[segment.source]
            _append(records, unsent(segment, due_s, time.monotonic(), crashed_s))
            return
        begin_s = max(due_s, time.monotonic() + _LATE_START_S)
        number = self._launched_on[segment.source]
        self._launched_on[segment.source] += 1
        source = (self._ipv4[segment.source], _CLIENT_PORTS[number % len(_CLIENT_PORTS)])
        target = (self._ipv4[segment.target], _port(segment))
        begin_unix_s = begin_s + self._realtime_minus_monotonic_s
        argv = client_argv(source, target, segment.sending, begin_unix_s)
        started_s = time.monotonic()
        process = self._hosts.start(segment.source, argv, subprocess.PIPE, subprocess.STDOUT)
        client = Client(segment, process, due_s, started_s)
        self._clients.append(client)
        self._flow_of_source[source] = Flow(
            segment, begin_s, FlowMeter(segment.sending.payload_bytes)
        )
        self._selector.register(_stdout(process), selectors.EVENT_READ, client)

    def _kill(self, clients: Sequence[Client], reason: str) -> None:
        for client in clients:
            if not client.killed_because:
                client.kill(reason)

    def _read(self, records: IO[bytes], timeout_s: float) -> None:
        """Take in what the processes have printed; record what is thereby complete."""
        for key, _ in self._selector.select(timeout_s):
            owner: Client | Server = key.data
            chunk = os.read(key.fd, 65536)
            owner.output += chunk
            if isinstance(owner, Server):
                self._take_lines(owner, records)
            if not chunk:
                self._selector.unregister(key.fileobj)
                _stdout(owner.process).close()
                self._take_end(owner, records)

    def _take_end(self, owner: Client | Server, records: IO[bytes]) -> None:
        if isinstance(owner, Client):
            self._clients.remove(owner)
            segment = owner.record(self._crash_of(owner.segment.source, owner.started_s))
            _append(records, segment)
            expected = self._stopping.is_set() or segment.host_crashed_s is not None
            if segment.error and not expected:
                self._problems.append(f"iperf {segment.src} to {segment.dst}: {segment.error}")
        else:
            self._servers.remove(owner)
            code = owner.process.wait()
            if not owner.is_ending and self._crash_of(owner.host, owner.started_s) is None:
                self._problems.append(f"the iperf server on {owner.host} ended with code {code}")

    def _crash_of(self, host: str, since_s: float) -> float | None:
        """When `host` crashed after `since_s`, if it did."""
        crashed_s = self._crashed_s.get(host)
        return crashed_s if crashed_s is not None and crashed_s >= since_s else None

    def _take_lines(self, server: Server, records: IO[bytes]) -> None:
        *lines, rest = server.output.split(b"\n")
        server.output = rest
        for text in lines:
            line = parse_server_line(text.decode(errors="replace"))
            if isinstance(line, Connected):
                self._connect(server, line)
            elif line is not None and line.flow in server.flows:
                flow = server.flows[line.flow]
                if interval := flow.meter.feed(line):
                    _append(records, flow.received(interval))

    def _connect(self, server: Server, line: Connected) -> None:
        """Attach a flow of iperf's to its client.

        Packets that come after the flow's last one make iperf open another: it is left out.
        """
        flow = self._flow_of_source.get(line.source)
        if flow is None:
            self._problems.append(
                f"the iperf server on {server.host} met a stranger: {line.source}"
            )
        elif not flow.is_known:
            flow.is_known = True
            flow.start_s = max(flow.start_s, time.monotonic())
            server.flows[line.flow] = flow

    def _end_servers(self, records: IO[bytes]) -> None:
        """Let the last packets arrive, then end the servers and take their last reports."""
        deadline_s = time.monotonic() + _IN_FLIGHT_S
        while time.monotonic() < deadline_s and not self._stopping.is_set():
            if all(flow.meter.is_over for flow in self._flow_of_source.values() if flow.is_known):
                break
            self._read(records, _LONGEST_WAIT_S)
        for server in self._servers:
            server.is_ending = True
            server.process.terminate()
        deadline_s = time.monotonic() + _SERVER_STOP_S
        while self._servers:
            self._read(records, _LONGEST_WAIT_S)
            if time.monotonic() > deadline_s:
                for server in self._servers:
                    server.process.kill()


def _port(segment: PlannedSegment) -> int:
    return (_FIRST_ATTACK_PORT if segment.attack else _FIRST_WORKLOAD_PORT) + segment.lane


def _append(records: IO[bytes], record: Segment | Received) -> None:
    records.write(msgspec.json.encode(record) + b"\n")


def _stdout(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None, "started with stdout=PIPE"
    return process.stdout

"""Replays a planned schedule with iperf across the hosts; records what was sent and received.

One client and one flow for every stream, from its first packet to its last: rates change in them.
"""

from __future__ import annotations

import heapq
import os
import resource
import selectors
import subprocess
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from itertools import islice
from math import inf
from operator import itemgetter
from pathlib import Path
from typing import IO

import msgspec

from generators.iperf import (
    FEWEST_PACKETS,
    Connected,
    FlowMeter,
    StreamMeter,
    client_argv,
    parse_server_line,
    tcp_client_argv,
)
from generators.records import Received, Segment
from generators.replay_feed import Feed
from generators.replay_plan import Stream
from generators.replay_processes import OVERTIME_S, Client, Flow
from generators.replay_servers import Server, ServerPort, start_servers
from testbed.host_exec import HostExec

_LEAD_S = 1.0
"""How long before it is handed its first packet, at least, a client is started.

One of UDP sends a datagram by itself at once, so that the flow is known when the rest begins.
"""
_LEAD_UNDER_WAY_S = 0.25
"""The same once the schedule has begun: that datagram is early by the less."""

_LAUNCH_GAP_S = 0.005
"""Least time between two process starts, so that the first step is no burst of load."""

_CLIENT_PORTS = range(6000, 32000)
"""A port of its own for every client tells flows apart; below Linux's ephemeral ports."""

_IN_FLIGHT_S = 1.0
"""How long packets may be under way once the last client has ended."""
_SERVER_STOP_S = 3.0
_LONGEST_WAIT_S = 0.05
_LATE_START_S = 0.05
"""A client that is late begins this long after it was launched: iperf takes no time in the past."""
_BUSY_S = 0.002
"""When to ask a client again that has not taken its last packets yet."""
_FULL_PACKETS, _FULL_S = 4, 0.02
"""The same of TCP, which may be held up by the network for long: after so many packets' time, or so
long."""
_READ_AT_ONCE = 4
"""Processes whose output is taken in before the next packets are due again."""


class Replay:
    """Carries out a plan on an absolute timeline, in a thread of its own.

    `Segment` and `Received` records are appended to `output` as they become known. The times of
    `Received` are those of its clients (both count from the same instant of their common clock);
    only if a flow's first datagram was lost they count from when the server reported the flow,
    a few ten milliseconds late.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        hosts: HostExec,
        ipv4: Mapping[str, str],
        output: Path,
        realtime_minus_monotonic_s: float,
    ) -> None:
        self._launches = deque(_launches(streams))
        self._due: list[tuple[float, int, Feed]] = []
        """A heap of when the next packet of each stream is due."""
        self._hosts = hosts
        self._ipv4 = ipv4
        self._output = output
        self._realtime_minus_monotonic_s = realtime_minus_monotonic_s
        self._servers: list[Server] = []
        self._feed_of: dict[Client, Feed] = {}
        """Of the clients that run."""
        self._flow_of_source: dict[tuple[str, int], Flow] = {}
        self._launched_on: Counter[str] = Counter()
        self._problems: list[str] = []
        self._ports: frozenset[ServerPort] = frozenset()
        self._down: set[str] = set()
        self._crashed_s: dict[str, float] = {}
        self._crashed: deque[str] = deque()
        """Hosts, as told by another thread, to be taken note of by ours."""
        self._restarted: deque[Server] = deque()
        """Started again by another thread, to be taken in by ours."""
        self._stopping = threading.Event()
        self._selector = selectors.DefaultSelector()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="replay")
        self._ended: Future[None] | None = None

    @property
    def lead_s(self) -> float:
        """How long before the schedule starts the replay must be."""
        return max(0.0, -self._launches[0][0]) if self._launches else 0.0

    @property
    def problems(self) -> tuple[str, ...]:
        """What has gone wrong so far, one sentence each: clients that failed, servers that died."""
        return tuple(self._problems)

    def start_servers(self) -> None:
        """Start a server on every host that is to receive, and wait until all ports are bound.

        Raises:
            ReplayError: some did not start; those that did are ended.
        """
        self._ports = frozenset(ServerPort.of(stream) for _, stream in self._launches)
        _allow_more_files(2 * len(self._launches))
        for server in start_servers(self._hosts, self._ports):
            self._join(server)

    def host_crashed(self, host: str, at_s: float) -> None:
        """Expect the end of everything in `host`, at `at_s`; nothing is started there any more."""
        self._crashed_s[host] = at_s
        self._down.add(host)
        self._crashed.append(host)

    def host_restarted(self, host: str) -> None:
        """Start the servers of `host` again; flows towards it count on from their next packet.

        Raises:
            ReplayError: a server did not start.
        """
        self._down.discard(host)
        for server in start_servers(self._hosts, (p for p in self._ports if p.host == host)):
            self._restarted.append(server)

    def _join(self, server: Server) -> None:
        self._servers.append(server)
        self._selector.register(_stdout(server.process), selectors.EVENT_READ, server)

    def start(self, t0_s: float) -> None:
        """Begin; `t0_s` is the schedule's start in CLOCK_MONOTONIC, at least `lead_s` from now."""
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
            while self._launches or self._due or self._feed_of:
                if self._stopping.is_set():
                    self._launches.clear()
                    self._due.clear()
                    self._kill(self._feed_of, "the replay was stopped")
                while self._crashed:
                    self._disconnect(self._crashed.popleft())
                while self._restarted:
                    self._take_in(self._restarted.popleft())
                wait_s = min(self._start_next(t0_s), self._feed(records), _LONGEST_WAIT_S)
                self._read(records, max(0.0, wait_s))
                if not self._due:
                    self._end_overdue()
            self._end_servers(records)

    def _start_next(self, t0_s: float) -> float:
        """Start the next stream if it is time to; return how long it is until the one after it."""
        if not self._launches:
            return inf
        at_s, stream = self._launches[0]
        wait_s = t0_s + at_s - time.monotonic()
        if wait_s > 0:
            return wait_s
        self._launches.popleft()
        feed = Feed(stream, t0_s)
        self._launch(feed, t0_s + stream.start_s)
        self._queue(feed, feed.due_s)
        return 0.0

    def _queue(self, feed: Feed, at_s: float | None) -> None:
        if at_s is not None:
            heapq.heappush(self._due, (at_s, id(feed), feed))

    def _feed(self, records: IO[bytes]) -> float:
        """Hand over every packet that is due; return how long it is until the next one."""
        now_s = time.monotonic()
        while self._due and self._due[0][0] <= now_s:
            _, _, feed = heapq.heappop(self._due)
            if feed.next_segment > feed.segment:
                _append(records, *feed.enter_next_segment())
                if feed.client is None:
                    self._launch(feed, now_s)
            taken = feed.hand_over(now_s)
            self._queue(feed, feed.due_s if taken else now_s + _busy_s(feed.stream))
            if feed.due_s is None and feed.client is None:
                _append(records, *feed.enter_next_segment())
        return self._due[0][0] - time.monotonic() if self._due else inf

    def _take_in(self, server: Server) -> None:
        """A restarted server knows no flow: those that are still being sent are new to it."""
        self._join(server)
        for flow in self._flow_of_source.values():
            if ServerPort.of(flow.stream) == server.at:
                flow.meter = flow.meter.at_new_server()
                flow.is_known = False
        for _, _, feed in self._due if server.at.transport == "tcp" else ():
            if server.at == ServerPort.of(feed.stream) and feed.client is None:
                self._launch(feed, time.monotonic())

    def _disconnect(self, host: str) -> None:
        """Its connections are gone, which iperf's clients do not heed."""
        for _, _, feed in self._due:
            if feed.stream.transport == "tcp" and feed.stream.target == host:
                if feed.client is not None:
                    feed.client.cut_off()
                feed.failed(f"{host} had crashed")

    def _launch(self, feed: Feed, start_s: float) -> None:
        """Start a client that sends from `start_s` on, if its host is up."""
        stream, now_s = feed.stream, time.monotonic()
        if stream.source in self._down:
            feed.failed(f"{stream.source} had crashed", self._crashed_s[stream.source])
            return
        if stream.transport == "tcp" and stream.target in self._down:
            feed.failed(f"{stream.target} had crashed")
            return
        begin_s = max(start_s, now_s + _LATE_START_S)
        number = self._launched_on[stream.source]
        self._launched_on[stream.source] += 1
        source = (self._ipv4[stream.source], _CLIENT_PORTS[number % len(_CLIENT_PORTS)])
        target = (self._ipv4[stream.target], ServerPort.of(stream).number)
        begin_unix_s = begin_s + self._realtime_minus_monotonic_s
        lasting_s = stream.end_s - stream.start_s + OVERTIME_S
        payload_bytes, peak_bps = stream.payload_bytes, stream.peak_bps
        if stream.transport == "tcp":
            argv = tcp_client_argv(source, target, payload_bytes)
            flow = Flow(stream, now_s, StreamMeter(payload_bytes))
        else:
            argv = client_argv(source, target, payload_bytes, peak_bps, begin_unix_s, lasting_s)
            flow = Flow(stream, begin_s, FlowMeter(payload_bytes))
        pipe = subprocess.PIPE
        process = self._hosts.start(stream.source, argv, pipe, subprocess.STDOUT, pipe)
        client = Client(stream, process, now_s, feed.end_s + OVERTIME_S)
        feed.launched(client)
        self._feed_of[client] = feed
        self._flow_of_source[source] = flow
        self._selector.register(_stdout(process), selectors.EVENT_READ, client)

    def _end_overdue(self) -> None:
        for client in self._feed_of:
            if time.monotonic() <= client.deadline_s:
                continue
            if client.stream.transport == "tcp":
                client.cut_off()
            else:
                self._kill([client], f"still running {OVERTIME_S:g} s after its end")

    def _kill(self, clients: Iterable[Client], reason: str) -> None:
        for client in clients:
            if not client.killed_because:
                client.kill(reason)

    def _read(self, records: IO[bytes], timeout_s: float) -> None:
        """Take in what the processes have printed; record what is thereby complete."""
        for key, _ in self._selector.select(timeout_s)[:_READ_AT_ONCE]:
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
            feed, error = self._feed_of.pop(owner), owner.error()
            if feed.client is not None and feed.client is not owner:
                return  # another one has taken its place
            if not error and feed.due_s is not None and not self._stopping.is_set():
                error = "it ended before its last packet was due"
            if error:
                crashed_s = self._crash_of(owner.stream.source, owner.started_s)
                if crashed_s is not None and not owner.killed_because:
                    error = f"{owner.stream.source} had crashed"
                elif self._is_cut(owner):
                    error = f"{owner.stream.target} had crashed"
                elif not self._stopping.is_set():
                    pair = f"{owner.stream.source} to {owner.stream.target}"
                    self._problems.append(f"iperf {pair}: {error}")
                feed.failed(error, crashed_s)
            if feed.due_s is None:
                _append(records, *feed.enter_next_segment())
            elif self._stopping.is_set():
                _append(records, feed.record())
        else:
            self._servers.remove(owner)
            code = owner.process.wait()
            if not owner.is_ending and self._crash_of(owner.at.host, owner.started_s) is None:
                self._problems.append(f"the iperf server on {owner.at.host} ended with code {code}")

    def _is_cut(self, client: Client) -> bool:
        """Whether a connection has ended because its target has."""
        crashed_s = self._crash_of(client.stream.target, client.started_s)
        return client.stream.transport == "tcp" and crashed_s is not None

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
                f"the iperf server on {server.at.host} met a stranger: {line.source}"
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


def _launches(streams: Iterable[Stream]) -> list[tuple[float, Stream]]:
    """When to start the client of each stream, from the schedule's start, in order.

    That is when its first packet is due; or, if it is handed one too soon after that, earlier, and
    those one after the other.
    """
    launches: list[tuple[float, Stream]] = []
    next_s = inf
    for stream in sorted(streams, key=_latest_start_s, reverse=True):
        at_s = _latest_start_s(stream)
        if at_s < next(stream.due())[1]:
            at_s = next_s = min(at_s, next_s - _LAUNCH_GAP_S)
        launches.append((at_s, stream))
    return sorted(launches, key=itemgetter(0))


def _latest_start_s(stream: Stream) -> float:
    """When the client of `stream` must be started at the latest."""
    first_s, second_s = (at_s for _, at_s in islice(stream.due(), FEWEST_PACKETS))
    handed_s = first_s if stream.transport == "tcp" else second_s  # one of UDP sends the first
    lead_s = _LEAD_S if handed_s < _LEAD_S else _LEAD_UNDER_WAY_S
    return min(first_s, handed_s - lead_s)


def _busy_s(stream: Stream) -> float:
    if stream.transport == "udp":
        return _BUSY_S
    return min(_FULL_S, _FULL_PACKETS * 8 * stream.frame_bytes / stream.peak_bps)


def _allow_more_files(number: int) -> None:
    """By so many, as far as we may: two pipes for each client are many for the usual 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, soft + number), hard))


def _append(records: IO[bytes], *each: Segment | Received) -> None:
    if each:
        records.write(b"".join(msgspec.json.encode(record) + b"\n" for record in each))


def _stdout(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdout is not None, "started with stdout=PIPE"
    return process.stdout

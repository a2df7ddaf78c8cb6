"""Probe streams between hosts with irtt: every packet's one-way delays, there and back.

Flags and JSON format: irtt(1), irtt-client(1), irtt-server(1), version 0.9.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from testbed.host_exec import HostExec, await_udp_port
from testbed.records import ProbeStream

_PORT = 2112
_SERVER_START_S = 5.0
_UNDER_WAY_S = 1.0
"""How long an echo may take. What was sent later than that before the end is not recorded."""
_LOWEST_PRIORITY = 19
_STOP_S = 20.0
"""A client writes about 1 kB per packet at its end."""


class ProbesError(Exception):
    """The probes could not be set up; the message names every host and reason."""


@dataclass(frozen=True)
class ProbePlan:
    """A stream to be: packets from `source` every `spacing_ms` (1 ms at least), echoed by `target`.

    At 2 ms a stream costs about 20 % of a processor, at 20 ms about 3 %, and 10 MB.
    """

    source: str
    target: str
    purpose: str
    spacing_ms: float


def server_argv(ipv4: str) -> list[str]:
    """A server without a least interval: it would drop packets that come bunched up."""
    return ["irtt", "server", "-i", "0", "-b", f"{ipv4}:{_PORT}"]


def client_argv(ipv4: str, spacing_ms: float, duration_s: float, output: Path) -> list[str]:
    """A client that stamps with the wall clock at both ends and writes JSON at its end."""
    return [
        *("irtt", "client", "-Q", "-l", "0", "-i", f"{spacing_ms:g}ms", "-d", f"{duration_s:g}s"),
        *("--tstamp=both", "--clock=wall", "--stats=none"),
        *("--timeouts=500ms,1s,2s", f"--wait={_UNDER_WAY_S:g}s"),
        *("-o", str(output), f"{ipv4}:{_PORT}"),
    ]


class _Stamp(msgspec.Struct):
    wall: int | None = None
    """Unix time in nanoseconds."""


class _Stamps(msgspec.Struct):
    send: _Stamp
    receive: _Stamp


class _BothEnds(msgspec.Struct):
    client: _Stamps
    server: _Stamps


class _RoundTrip(msgspec.Struct):
    timestamps: _BothEnds


class _Report(msgspec.Struct):
    round_trips: list[_RoundTrip]


def parse_stream(
    report: bytes, plan: ProbePlan, realtime_minus_monotonic_s: float, until_s: float
) -> ProbeStream:
    """The packets of a client's JSON report that were sent before `until_s` (CLOCK_MONOTONIC).

    Raises:
        msgspec.DecodeError: it is no such report.
    """
    until_ns = (until_s + realtime_minus_monotonic_s) * 1e9
    trips = [
        trip.timestamps
        for trip in msgspec.json.decode(report, type=_Report).round_trips
        if (trip.timestamps.client.send.wall or 0) < until_ns
    ]
    return ProbeStream(
        src=plan.source,
        dst=plan.target,
        purpose=plan.purpose,
        spacing_ms=plan.spacing_ms,
        sent_s=tuple(
            round((trip.client.send.wall or 0) / 1e9 - realtime_minus_monotonic_s, 6)
            for trip in trips
        ),
        forward_ms=tuple(_delay_ms(trip.client.send, trip.server.receive) for trip in trips),
        backward_ms=tuple(_delay_ms(trip.server.send, trip.client.receive) for trip in trips),
    )


def _delay_ms(send: _Stamp, receive: _Stamp) -> float | None:
    if send.wall is None or receive.wall is None:
        return None
    return round((receive.wall - send.wall) / 1e6, 4)


class Probes:
    """Runs probe streams until told to stop, then appends one `ProbeStream` each to `output`.

    A stream lives through outages of any length. It opens with a handshake: if the target cannot
    be reached within 3.5 s of `start`, there is no stream, and `stop` says so. irtt writes its
    report when it ends: what a stream measured is lost as a whole if its client is killed
    (SIGKILL), so `stop` is to be called however a run ends, also after it has been called before.
    It also removes the folder of reports.
    """

    def __init__(
        self,
        hosts: HostExec,
        ipv4: Mapping[str, str],
        output: Path,
        realtime_minus_monotonic_s: float,
    ) -> None:
        self._hosts = hosts
        self._ipv4 = ipv4
        self._output = output
        self._realtime_minus_monotonic_s = realtime_minus_monotonic_s
        self._reports = tempfile.TemporaryDirectory(dir=output.parent, prefix="probes-")
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._clients: list[tuple[ProbePlan, subprocess.Popen[bytes], Path]] = []
        self._crashed_s: dict[str, float] = {}

    def start(self, plans: Sequence[ProbePlan], longest_s: float) -> None:
        """Start servers, wait until their ports are bound, start one client per plan.

        The streams end by themselves after `longest_s`; irtt sets memory aside for that long.

        Raises:
            ProbesError: a server did not start; those that did are ended.
        """
        self._start_servers({plan.target for plan in plans})
        for number, plan in enumerate(plans):
            report = Path(self._reports.name) / f"{number}.json"
            argv = client_argv(self._ipv4[plan.target], plan.spacing_ms, longest_s, report)
            client = self._hosts.start(plan.source, argv, stderr=subprocess.PIPE)
            self._clients.append((plan, client, report))

    def host_crashed(self, host: str, at_s: float) -> None:
        """Expect the end of everything in `host`, at `at_s`: its streams are no problem then.

        They end for good: neither a client nor a new server could take one up again.
        """
        self._crashed_s.setdefault(host, at_s)

    def host_restarted(self, host: str) -> None:
        """Start the server of `host` again, if it had one.

        Raises:
            ProbesError: it did not start.
        """
        if host in self._servers:
            _last_words(self._servers[host])
            self._start_servers({host})

    def _start_servers(self, hosts: Iterable[str]) -> None:
        started = {
            host: self._hosts.start(host, server_argv(self._ipv4[host]), stderr=subprocess.PIPE)
            for host in sorted(hosts)
        }
        self._servers |= started
        deadline_s = time.monotonic() + _SERVER_START_S
        failed = [
            host
            for host, server in started.items()
            if not await_udp_port(server, _PORT, deadline_s)
        ]
        if failed:
            for server in started.values():
                server.kill()
            words = [f"{host}: {_last_words(started[host])}" for host in failed]
            self.stop()
            raise ProbesError(f"the irtt server did not start on {'; '.join(words)}")

    def stop(self, *, in_a_hurry: bool = False) -> tuple[str, ...]:
        """End all streams and record them; what went wrong, one sentence per stream.

        `in_a_hurry`: nobody else's work counts any more.
        """
        until_s = time.monotonic() - _UNDER_WAY_S
        for _, client, _ in self._clients:
            if not in_a_hurry:
                _give_way(client)
            client.send_signal(signal.SIGINT)  # on which it writes its report
        problems = []
        with self._output.open("ab") as records, self._reports:
            for plan, client, report in self._clients:
                words, crashed_s = _last_words(client), self._crash_of(plan)
                if client.returncode == 0:
                    last_s = until_s if crashed_s is None else min(until_s, crashed_s)
                    offset_s = self._realtime_minus_monotonic_s
                    stream = parse_stream(report.read_bytes(), plan, offset_s, last_s)
                    report.unlink()
                elif plan.source in self._crashed_s:
                    stream = _lost(plan)
                else:
                    problems.append(f"no probes from {plan.source} to {plan.target}: {words}")
                    continue
                stream = msgspec.structs.replace(stream, host_crashed_s=crashed_s)
                records.write(msgspec.json.encode(stream) + b"\n")
        for server in self._servers.values():
            server.terminate()
            _last_words(server)
        self._clients.clear()
        self._servers.clear()
        return tuple(problems)

    def _crash_of(self, plan: ProbePlan) -> float | None:
        crashes = (self._crashed_s.get(host) for host in (plan.source, plan.target))
        return min((at_s for at_s in crashes if at_s is not None), default=None)


def _give_way(process: subprocess.Popen[bytes]) -> None:
    """Let all others go first: reports of a second's work each would keep BFD from its turn."""
    with suppress(ProcessLookupError, FileNotFoundError):  # it has ended
        for thread in Path(f"/proc/{process.pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), _LOWEST_PRIORITY)


def _lost(plan: ProbePlan) -> ProbeStream:
    """The record of a stream whose report died with its client."""
    return ProbeStream(
        src=plan.source,
        dst=plan.target,
        purpose=plan.purpose,
        spacing_ms=plan.spacing_ms,
        sent_s=(),
        forward_ms=(),
        backward_ms=(),
    )


def _last_words(process: subprocess.Popen[bytes]) -> str:
    """Wait for a process told to end; its last line on standard error, or its exit code."""
    try:
        _, errors = process.communicate(timeout=_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        _, errors = process.communicate()
    lines = (errors or b"").decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else f"irtt ended with code {process.returncode}"

"""The iperf servers of a replay: one in every host for the workload, one for attacks."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from generators.iperf import server_argv
from generators.replay_plan import Stream
from generators.replay_processes import Flow, last_line
from testbed.host_exec import HostExec, await_udp_port

_WORKLOAD_PORT, _ATTACK_PORT = 5001, 5501
_WORKLOAD_INTERVAL_S, _ATTACK_INTERVAL_S = 1.0, 0.1
_START_S = 5.0


class ReplayError(Exception):
    """The replay could not be set up; the message names every host and reason."""


class ServerPort(NamedTuple):
    """Where a server listens."""

    host: str
    attack: bool

    @classmethod
    def of(cls, stream: Stream) -> ServerPort:
        """Where a stream goes."""
        return cls(stream.target, stream.attack)

    @property
    def number(self) -> int:
        """The UDP port."""
        return _ATTACK_PORT if self.attack else _WORKLOAD_PORT


@dataclass(eq=False)
class Server:
    """One server and the flows that it has reported."""

    at: ServerPort
    process: subprocess.Popen[bytes]
    started_s: float
    output: bytearray = field(default_factory=bytearray)
    flows: dict[int, Flow] = field(default_factory=dict)
    """By iperf's number of the flow."""
    is_ending: bool = False


def start_servers(hosts: HostExec, ports: Iterable[ServerPort]) -> list[Server]:
    """Start a server at each of the ports, and wait until all are bound.

    Raises:
        ReplayError: some did not start; those that did are ended.
    """
    servers = []
    for at in sorted(ports):
        interval_s = _ATTACK_INTERVAL_S if at.attack else _WORKLOAD_INTERVAL_S
        argv = server_argv(at.number, interval_s)
        process = hosts.start(at.host, argv, subprocess.PIPE, subprocess.STDOUT)
        servers.append(Server(at, process, time.monotonic()))
    deadline_s = time.monotonic() + _START_S
    failed = [s for s in servers if not await_udp_port(s.process, s.at.number, deadline_s)]
    if failed:
        for server in servers:
            server.process.kill()
        words = [last_line(s.process.communicate()[0].decode()) for s in servers]
        reasons = [
            f"{server.at.host}: {said}"
            for server, said in zip(servers, words, strict=True)
            if server in failed
        ]
        raise ReplayError(f"the iperf server did not start on {'; '.join(reasons)}")
    return servers

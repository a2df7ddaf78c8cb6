"""The iperf servers of a replay: in every host one for UDP, one for TCP, one for attacks."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from generators.iperf import server_argv, tcp_server_argv
from generators.records import Transport
from generators.replay_plan import Stream
from generators.replay_processes import Flow, last_line
from testbed.host_exec import HostExec, await_port

_UDP_PORT, _TCP_PORT, _ATTACK_PORT = 5001, 5101, 5501
_WORKLOAD_INTERVAL_S, _ATTACK_INTERVAL_S = 1.0, 0.1
_START_S = 5.0


class ReplayError(Exception):
    """The replay could not be set up; the message names every host and reason."""


class ServerPort(NamedTuple):
    """Where a server listens."""

    host: str
    attack: bool
    transport: Transport

    @classmethod
    def of(cls, stream: Stream) -> ServerPort:
        """Where a stream goes."""
        return cls(stream.target, stream.attack, stream.transport)

    @property
    def number(self) -> int:
        """The UDP or TCP port."""
        if self.attack:
            return _ATTACK_PORT
        return _TCP_PORT if self.transport == "tcp" else _UDP_PORT

    def argv(self) -> list[str]:
        """What listens there."""
        interval_s = _ATTACK_INTERVAL_S if self.attack else _WORKLOAD_INTERVAL_S
        argv = tcp_server_argv if self.transport == "tcp" else server_argv
        return argv(self.number, interval_s)


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
        process = hosts.start(at.host, at.argv(), subprocess.PIPE, subprocess.STDOUT)
        servers.append(Server(at, process, time.monotonic()))
    deadline_s = time.monotonic() + _START_S
    failed = [
        server
        for server in servers
        if not await_port(server.process, server.at.number, deadline_s, server.at.transport)
    ]
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

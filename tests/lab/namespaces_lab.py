"""Hosts without switches: network namespaces behind one router, for tests of the generators."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.hosts import Hosts


@dataclass(frozen=True)
class NamespacesLab:
    hosts: Hosts
    ipv4: dict[str, str]

    def limit(self, host: str, rate: str) -> None:
        """A bottleneck towards `host`: token bucket with 50 kB of queue."""
        _run(f"tc qdisc add dev to-{host} root tbf rate {rate} burst 3000 limit 50000")

    def set_reachable(self, host: str, reachable: bool) -> None:
        """Frames towards `host` vanish in the router, or do not.

        Not by taking its link down: the kernel would forget its neighbours, and hold packets back
        until they are found again, which then arrive late instead of never.
        """
        _run(f"ip route {'del' if reachable else 'add'} blackhole {self.ipv4[host]}/32")


@contextmanager
def open_namespaces(*names: str) -> Iterator[NamespacesLab]:
    """To be called inside a sandbox; the calling process's namespace is the router."""
    _run("ip link set lo up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    holders = {name: _namespace() for name in names}
    hosts = Hosts({name: holder.pid for name, holder in holders.items()})
    ipv4 = {name: f"10.0.{number}.1" for number, name in enumerate(names, start=1)}
    for name, holder in holders.items():
        router = ipv4[name] + "00"  # .100
        _run(f"ip link add to-{name} type veth peer name eth0 netns {holder.pid}")
        _run(f"ip addr add {router}/24 dev to-{name}")
        _run(f"ip link set to-{name} up")
        for command in (
            f"ip addr add {ipv4[name]}/24 dev eth0",
            "ip link set eth0 up",
            "ip link set lo up",
            f"ip route add default via {router}",
        ):
            assert hosts.run(name, command.split()).returncode == 0, command
    try:
        yield NamespacesLab(hosts, ipv4)
    finally:
        for holder in holders.values():
            holder.kill()
            holder.wait()


def _namespace() -> subprocess.Popen[bytes]:
    argv = ["unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"]
    holder = subprocess.Popen(argv, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    return holder


def _run(command: str) -> None:
    subprocess.run(command.split(), check=True)

"""IPv6 in the hosts: one address each, and nothing that a host would send by itself.

No link-local addresses, no duplicate address detection, no solicitation of routers; what remains
are a few reports of group membership (MLD) in the first seconds, which the host's switch drops.
Between the switches IPv6 stays off (`sandbox.furnish`).
"""

from __future__ import annotations

from pathlib import Path

from testbed.hosts import Hosts
from testbed.links.backend import LinkError
from topologies.addressing import Addressing

_PREFIX_LENGTH = 64
_QUIET = {"addr_gen_mode": 1, "accept_ra": 0, "autoconf": 0, "accept_dad": 0, "dad_transmits": 0}
"""See ip-sysctl in the kernel's documentation; mode 1 of address generation is: none."""


def available() -> bool:
    """Whether this kernel has IPv6."""
    return Path("/proc/sys/net/ipv6").exists()


def switch_on(hosts: Hosts, addressing: Addressing) -> None:
    """Give every host its IPv6 address, where the kernel has IPv6.

    Raises:
        LinkError: sh(1) or ip(8) failed in a host.
    """
    if not available():
        return
    for host, address in addressing.ipv6.items():
        settings = f"/proc/sys/net/ipv6/conf/{host}-eth0"
        lines = [
            f"echo 1 > {settings}/disable_ipv6",  # away with what it has begun by itself
            *(f"echo {value} > {settings}/{name}" for name, value in _QUIET.items()),
            f"echo 0 > {settings}/disable_ipv6",
            f"ip -6 address add {address}/{_PREFIX_LENGTH} dev {host}-eth0 nodad",
        ]
        done = hosts.run(host, ["sh", "-e"], stdin="\n".join(lines))
        if done.returncode != 0:
            raise LinkError(f"{host}: IPv6: {done.stderr.decode(errors='replace').strip()}")

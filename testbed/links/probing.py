"""Which link backend this machine can carry, found out by trying."""

from __future__ import annotations

from pathlib import Path

from testbed.capabilities import Capabilities
from testbed.links.backend import LinkBackend, LinkError


def choose_backend(capabilities: Capabilities) -> str:
    """The name of the best backend that works here.

    Raises:
        LinkError: none does; the message says what each of them is missing.
    """
    if capabilities.link_backend is not None:
        return capabilities.link_backend
    raise LinkError(
        "no link backend works on this machine: "
        f"kernel needs netem ({capabilities.netem.reason or 'there'}) and the openvswitch module "
        f"({capabilities.kernel_datapath.reason or 'there'}); "
        f"userspace needs TAP devices ({capabilities.tun.reason}): load the module tun"
    )


def open_backend(name: str, log_dir: Path) -> LinkBackend:
    """Start the backend `name` in this sandbox."""
    if name == "kernel":
        from testbed.links.kernel import KernelLinks

        return KernelLinks()
    from testbed.links.userspace import UserspaceLinks

    return UserspaceLinks(log_dir / "link-daemon.log")

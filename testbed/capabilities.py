"""What this machine offers a lab, found out by trying it in a scratch sandbox."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from testbed.sandbox import Sandbox, SandboxUnavailableError, probe_sandbox

_TRY_USER_NAMESPACES = "unshare --user --map-root-user --net --pid --fork true"
_TRY_TUN = "ip tuntap add dev probe0 mode tap"
_TRY_NETEM = """
ip link add dev probe0 type veth peer name probe1
tc qdisc add dev probe0 root handle 1: htb default 1
tc class add dev probe0 parent 1: classid 1:1 htb rate 10mbit
tc qdisc add dev probe0 parent 1:1 handle 10: netem delay 1ms limit 100
"""
_TRY_KERNEL_DATAPATH = "ovs-dpctl -vconsole:off add-dp probe0"


@dataclass(frozen=True)
class Finding:
    """Whether something is there; if not, why not, in the words of the tool that tried it."""

    available: bool
    reason: str = ""


@dataclass(frozen=True)
class Capabilities:
    """What a lab may build on."""

    sandbox: Finding
    """Namespaces of our own, with or without root."""
    user_namespaces: Finding
    """The same without root."""
    tun: Finding
    """TAP devices, which the userspace link backend is made of."""
    netem: Finding
    """veth, HTB and netem, which the kernel link backend is made of."""
    kernel_datapath: Finding
    """The openvswitch module: switches that forward in the kernel."""

    @property
    def link_backend(self) -> str | None:
        """The backend to use: "kernel" where all of it is there, else "userspace", else None."""
        if self.netem.available and self.kernel_datapath.available:
            return "kernel"
        return "userspace" if self.tun.available else None


def probe() -> Capabilities:
    """Try everything; takes some 50 ms and leaves nothing behind."""
    user_namespaces = _try(_TRY_USER_NAMESPACES)
    try:
        sandbox = probe_sandbox()
    except SandboxUnavailableError as error:
        untried = Finding(False, "not tried: there is no sandbox to try it in")
        absent = Finding(False, str(error))
        return Capabilities(absent, user_namespaces, untried, untried, untried)
    return Capabilities(
        sandbox=Finding(True),
        user_namespaces=user_namespaces,
        tun=_try(_TRY_TUN, sandbox),
        netem=_try(_TRY_NETEM, sandbox),
        kernel_datapath=_try(_TRY_KERNEL_DATAPATH, sandbox),
    )


def _try(script: str, sandbox: Sandbox | None = None) -> Finding:
    """Run a shell script, in a sandbox of its own if one is given: did every command succeed?"""
    command = ["sh", "-ec", script]
    attempt = subprocess.run(
        command if sandbox is None else sandbox.command(command),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if attempt.returncode == 0:
        return Finding(True)
    complaint = attempt.stderr.strip().splitlines()
    return Finding(False, complaint[-1] if complaint else f"exit code {attempt.returncode}")

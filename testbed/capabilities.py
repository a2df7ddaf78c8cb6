"""What this machine offers a lab, found out by trying it in a scratch sandbox."""

from __future__ import annotations

from dataclasses import dataclass

from testbed.attempt import Finding, attempt
from testbed.sandbox import Sandbox, SandboxUnavailableError, probe_sandbox

_TRY_USER_NAMESPACES = "unshare --user --map-root-user --net --pid --fork --kill-child true"
_TRY_TUN = "ip tuntap add dev probe0 mode tap"
_TRY_NETEM = """
ip link add dev probe0 type veth peer name probe1
tc qdisc add dev probe0 root handle 1: htb default 1
tc class add dev probe0 parent 1: classid 1:1 htb rate 10mbit
tc qdisc add dev probe0 parent 1:1 handle 2: prio
tc filter add dev probe0 parent 2: protocol ip flower ip_tos 0xc0/0xfc classid 2:1
tc qdisc add dev probe1 root netem delay 1ms limit 100
"""
_TRY_KERNEL_DATAPATH = "ovs-dpctl -vconsole:off add-dp probe0"
_TRY_REAL_TIME = "chrt --fifo 10 true"
_UNTRIED = Finding(False, "not tried: there is no sandbox to try it in")


@dataclass(frozen=True)
class Capabilities:
    """What a lab may build on."""

    sandbox: Finding
    """Namespaces of our own, with or without root."""
    user_namespaces: Finding
    """The same without root."""
    tun: Finding = _UNTRIED
    """TAP devices, which the userspace link backend is made of."""
    netem: Finding = _UNTRIED
    """veth, HTB, netem, prio and flower, which the kernel link backend is made of."""
    kernel_datapath: Finding = _UNTRIED
    """The openvswitch module: switches that forward in the kernel."""
    real_time: Finding = _UNTRIED
    """Real-time priority in a lab: its links run before whatever else wants the processors."""

    @property
    def link_backend(self) -> str | None:
        """The backend to use: "kernel" where all of it is there, else "userspace", else None."""
        if self.netem.available and self.kernel_datapath.available:
            return "kernel"
        return "userspace" if self.tun.available else None


def probe() -> Capabilities:
    """Try everything; takes some 50 ms and leaves nothing behind."""
    user_namespaces = attempt(_TRY_USER_NAMESPACES.split())
    try:
        sandbox = probe_sandbox()
    except SandboxUnavailableError as error:
        return Capabilities(Finding(False, str(error)), user_namespaces)
    return Capabilities(
        sandbox=Finding(True),
        user_namespaces=user_namespaces,
        tun=_try(_TRY_TUN, sandbox),
        netem=_try(_TRY_NETEM, sandbox),
        kernel_datapath=_try(_TRY_KERNEL_DATAPATH, sandbox),
        real_time=_try(_TRY_REAL_TIME, sandbox),
    )


def _try(script: str, sandbox: Sandbox) -> Finding:
    """Run a shell script in a sandbox of its own: did every command succeed?"""
    return attempt(sandbox.command(["sh", "-ec", script]))

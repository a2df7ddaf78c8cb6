"""What the kernel lets a lab do, for `twinbed doctor`."""

from __future__ import annotations

import os

from cli.doctor_parts import Part, tried
from testbed.capabilities import Capabilities


def kernel_parts(capabilities: Capabilities) -> list[Part]:
    """What the kernel lets us do, as tried."""
    userspace = capabilities.link_backend != "kernel"
    return [
        tried(
            "namespaces",
            capabilities.sandbox,
            found="opened " + ("by root" if os.geteuid() == 0 else "in a user namespace"),
            required=True,
        ),
        tried(
            "user namespaces",
            capabilities.user_namespaces,
            found="to be had: ordinary users can run labs",
            instead="root: only root can run labs",
            remedy="sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 24.04)",
        ),
        tried(
            "real-time priority",
            capabilities.real_time,
            found="to be had: links run before everything else",
            instead="ordinary priority: links come late when the machine is busy",
            remedy="sudo; labs run without it too",
        ),
        tried(
            "TAP devices",
            capabilities.tun,
            found="can be made",
            required=userspace,
            instead="" if userspace else "not needed: the kernel makes the links",
            remedy="modprobe tun; in a container, give it /dev/net/tun",
        ),
        tried(
            "netem and HTB",
            capabilities.netem,
            found="can be attached",
            instead="links made by the userspace link daemon",
            remedy="modprobe sch_netem sch_htb sch_prio cls_flower "
            "(Ubuntu: package linux-modules-extra-...)",
        ),
        tried(
            "OVS kernel datapath",
            capabilities.kernel_datapath,
            found="can be made",
            instead="the OVS userspace datapath: fewer packets/s",
            remedy="modprobe openvswitch (Ubuntu: package linux-modules-extra-...)",
        ),
    ]

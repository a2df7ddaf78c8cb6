"""A lab's own world: user, network, process, mount, UTS and IPC namespaces of its own.

The lab's supervisor is process 1 of a new PID namespace. When it ends, however it ends, the kernel
ends every process of the lab and takes the namespaces, interfaces and mounts with them, so there
is nothing to clean up. See unshare(1), setpriv(1), pid_namespaces(7).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

RUN_DIR_VARIABLE = "TWINBED_RUN_DIR"
"""Set in the environment of every process of a lab: the process table is the register of labs."""

_NAMESPACES = ("--net", "--pid", "--mount", "--uts", "--ipc", "--cgroup")
_IPV6 = Path("/proc/sys/net/ipv6/conf")
_REQUIRED_TOOLS = {"unshare": "util-linux", "setpriv": "util-linux", "mount": "mount"}


class SandboxUnavailableError(Exception):
    """This machine gives us no namespaces of our own; the message says why and what to do."""


@dataclass(frozen=True)
class Sandbox:
    """How to open a sandbox on this machine.

    As root the user namespace is left out, since real-time priority is then to be had.
    """

    as_root: bool

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` as process 1 of a new sandbox.

        `setpriv --pdeathsig` ends the sandbox when the calling process dies, kill -9 included.
        """
        user = [] if self.as_root else ["--user", "--map-root-user"]
        return [
            *("setpriv", "--pdeathsig", "KILL"),
            *("unshare", *user, *_NAMESPACES, "--fork", "--kill-child", "--mount-proc"),
            *argv,
        ]

    def open(
        self, argv: Sequence[str], run_dir: Path, stderr: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start `argv` in a new sandbox, its standard input and output being pipes to us.

        It gets a session of its own, so that Ctrl-C reaches us alone and we end it in order.
        """
        return subprocess.Popen(
            self.command(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            # A file of the user's named like one of our modules must not take its place.
            env={**os.environ, RUN_DIR_VARIABLE: str(run_dir), "PYTHONSAFEPATH": "1"},
            start_new_session=True,
        )


def probe_sandbox() -> Sandbox:
    """Find out, by trying, how a sandbox can be opened here.

    Raises:
        SandboxUnavailableError: neither user namespaces nor root are to be had, or a tool is
            missing.
    """
    for tool, package in _REQUIRED_TOOLS.items():
        if shutil.which(tool) is None:
            raise SandboxUnavailableError(
                f"the command {tool} is missing: install the package {package}"
            )
    sandbox = Sandbox(as_root=os.geteuid() == 0)
    attempt = subprocess.run(
        sandbox.command(["mount", "-t", "tmpfs", "tmpfs", "/run"]), capture_output=True, text=True
    )
    if attempt.returncode == 0:
        return sandbox
    reason = attempt.stderr.strip().splitlines()[-1:] or ["no reason given"]
    if sandbox.as_root:
        raise SandboxUnavailableError(
            f"this root user may not create namespaces ({reason[0]}): in a container, "
            "run it with --privileged or with CAP_SYS_ADMIN and CAP_NET_ADMIN"
        )
    raise SandboxUnavailableError(
        f"user namespaces are not allowed here ({reason[0]}): run as root, or allow them with "
        "'sudo sysctl kernel.unprivileged_userns_clone=1' (Debian) or "
        "'sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0' (Ubuntu 24.04)"
    )


def furnish(lab_variables: Mapping[str, str]) -> None:
    """Make the new namespaces habitable; called by process 1 of the sandbox, once.

    A private /run keeps our daemons' files apart from the machine's, a fresh sysfs shows the
    lab's own interfaces, and IPv6 is off so that idle links stay idle.

    Raises:
        SandboxUnavailableError: this is not process 1, hence not in a sandbox: the mounts would
            hide the machine's own.
        subprocess.CalledProcessError: a mount or an ip command failed.
    """
    if os.getpid() != 1:
        raise SandboxUnavailableError("this process runs outside a sandbox: open one for it")
    os.environ.update(lab_variables)
    for command in (
        ("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"),
        ("mount", "-t", "sysfs", "sysfs", "/sys"),
        ("ip", "link", "set", "lo", "up"),
    ):
        subprocess.run(command, check=True, capture_output=True)
    if _IPV6.exists():  # a kernel may come without it
        for scope in ("all", "default"):
            (_IPV6 / scope / "disable_ipv6").write_text("1\n")

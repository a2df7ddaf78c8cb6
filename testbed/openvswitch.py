"""The lab's own Open vSwitch daemons, as children of the supervisor."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

RUN_DIR = Path("/run/openvswitch")
_SCHEMAS = (
    Path("/usr/share/openvswitch/vswitch.ovsschema"),
    Path("/usr/local/share/openvswitch/vswitch.ovsschema"),
)
_START_TIMEOUT_S = 10.0


class OpenVSwitchError(Exception):
    """A daemon of Open vSwitch could not be started; the message says which and why."""


def environment() -> Mapping[str, str]:
    """Variables that point every OVS tool at the lab's own daemons; see ovs-vswitchd(8)."""
    return {name: str(RUN_DIR) for name in ("OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR")}


@dataclass(frozen=True)
class OpenVSwitch:
    """The two running daemons."""

    ovsdb_server: subprocess.Popen[bytes]
    ovs_vswitchd: subprocess.Popen[bytes]

    def processes(self) -> Mapping[str, subprocess.Popen[bytes]]:
        """The daemons by name, for whoever watches over them."""
        return {"ovsdb-server": self.ovsdb_server, "ovs-vswitchd": self.ovs_vswitchd}


def start(log_dir: Path) -> OpenVSwitch:
    """Start ovsdb-server and ovs-vswitchd in this sandbox and wait until they answer.

    `environment()` must be in force. The log files go to `log_dir`.

    Raises:
        OpenVSwitchError: a daemon ended or did not answer in time.
    """
    RUN_DIR.mkdir(parents=True, exist_ok=True)
    schema = next((path for path in _SCHEMAS if path.exists()), None)
    if schema is None:
        raise OpenVSwitchError(
            "vswitch.ovsschema not found: install the package openvswitch-switch"
        )
    database, socket = RUN_DIR / "conf.db", RUN_DIR / "db.sock"
    _run("ovsdb-tool", "create", str(database), str(schema))
    server = _daemon(log_dir, "ovsdb-server", str(database), f"--remote=punix:{socket}")
    _wait_for(socket, server, "ovsdb-server", log_dir)
    _run("ovs-vsctl", "--no-wait", "init")
    vswitchd = _daemon(log_dir, "ovs-vswitchd", f"unix:{socket}")
    _wait_for(RUN_DIR / f"ovs-vswitchd.{vswitchd.pid}.ctl", vswitchd, "ovs-vswitchd", log_dir)
    return OpenVSwitch(server, vswitchd)


def vsctl(words: Iterable[str]) -> None:
    """Have ovs-vsctl carry out a transaction.

    Raises:
        OpenVSwitchError: it failed.
    """
    _run("ovs-vsctl", *words)


def _daemon(log_dir: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    with (log_dir / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            [name, *arguments, "--pidfile", "--no-chdir", "-vconsole:warn"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise OpenVSwitchError(f"{command[0]} failed: {done.stderr.strip()}")


def _wait_for(path: Path, daemon: subprocess.Popen[bytes], name: str, log_dir: Path) -> None:
    """Wait until the daemon's socket exists, or say why it will not."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    with selectors.DefaultSelector() as selector:
        pidfd = os.pidfd_open(daemon.pid)
        selector.register(pidfd, selectors.EVENT_READ)
        try:
            while not path.exists():
                if selector.select(timeout=0.005):
                    raise OpenVSwitchError(f"{name} ended at once: see {log_dir / name}.log")
                if time.monotonic() > deadline:
                    raise OpenVSwitchError(f"{name} did not answer: see {log_dir / name}.log")
        finally:
            os.close(pidfd)

"""FRRouting's daemons for one router: what they are told, how they are started, what they say.

zebra keeps the kernel's routes, ospfd finds them (RFC 2328), bfdd watches the neighbours (RFC
5880). See docs.frrouting.org; written for the commands of FRR 8.4.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from testbed.links.backend import LinkError

PACKAGE = "frr"
DAEMONS = ("zebra", "ospfd", "bfdd")
"""In the order in which they have to be started: the others need the first one's socket."""

_DAEMON_FOLDER = Path("/usr/lib/frr")
_RUN_DIR = Path("/run/frr")
_SCRATCH = Path("/var/tmp/frr")
"""Where every daemon makes a folder for its last words."""
_GROUP_FILE = Path("/etc/group")
_SOCKET_GROUP = "frrvty"

HELLO_S, DEAD_S, RETRANSMIT_S = 1, 4, 1
"""OSPF's own timers: BFD finds failures, these find neighbours (defaults: 10, 40 and 5)."""
SPF_MS = (0, 50, 500)
"""Before routes are calculated after a change; least and most between two calculations."""
LSA_MS, LSA_ARRIVAL_MS = 50, 20
"""Between two editions of the same advertisement; sent, and accepted (defaults: 5000, 1000)."""
_BFD_PROFILE = "lab"
_BFD_MISSED = 3


def missing_programs() -> tuple[str, ...]:
    """Those of FRR that are not installed; Debian keeps the daemons off the PATH."""
    absent = [name for name in DAEMONS if not (_DAEMON_FOLDER / name).exists()]
    return (*absent, *(() if shutil.which("vtysh") else ("vtysh",)))


def furnish() -> None:
    """Make the sandbox a place where the daemons run as its root, and leave nothing behind.

    Called once, after `sandbox.furnish`. They insist that their user be in the group that owns
    their sockets, which only this sandbox's own list of groups can grant where there is no other
    user than its root.

    Raises:
        OSError, subprocess.CalledProcessError: a file or a mount failed.
    """
    _RUN_DIR.mkdir()
    groups = _RUN_DIR / "group"
    groups.write_text(with_root_in(_SOCKET_GROUP, _GROUP_FILE.read_text()))
    for command in (
        ("mount", "-t", "tmpfs", "tmpfs", str(_SCRATCH.parent)),
        ("mount", "--bind", str(groups), str(_GROUP_FILE)),
    ):
        subprocess.run(command, check=True, capture_output=True)
    _SCRATCH.mkdir()  # in the sandbox's own folder: the machine's keeps nothing of it


def with_root_in(group: str, groups: str) -> str:
    """The lines of group(5), with `group` being another name of root's own."""
    others = [line for line in groups.splitlines() if not line.startswith(f"{group}:")]
    return "".join(f"{line}\n" for line in (*others, f"{group}:x:0:root"))


@dataclass(frozen=True)
class RouterSettings:
    """What a router has to know; its interfaces and their addresses are there already."""

    name: str
    router_id: str
    """An IPv4 address, also that of all its interfaces."""
    costs: Mapping[str, int]
    """Of the interfaces towards other routers."""
    stubs: Sequence[str]
    """The interfaces towards hosts."""
    bfd_interval_ms: int


def configuration(router: RouterSettings) -> Mapping[str, str]:
    """The configuration file of each daemon.

    One area, point-to-point links. One path to each destination (`maximum-paths 1`), so that it is
    comparable to the other modes.
    """
    ospf = [
        "router ospf",
        f" ospf router-id {router.router_id}",
        " maximum-paths 1",
        f" timers throttle spf {' '.join(map(str, SPF_MS))}",
        f" timers throttle lsa all {LSA_MS}",
        f" timers lsa min-arrival {LSA_ARRIVAL_MS}",
    ]
    for interface, cost in router.costs.items():
        ospf += [
            f"interface {interface}",
            " ip ospf area 0",
            " ip ospf network point-to-point",
            f" ip ospf cost {cost}",
            f" ip ospf hello-interval {HELLO_S}",
            f" ip ospf dead-interval {DEAD_S}",
            f" ip ospf retransmit-interval {RETRANSMIT_S}",
            " ip ospf bfd",
            f" ip ospf bfd profile {_BFD_PROFILE}",
        ]
    for interface in router.stubs:
        ospf += [
            f"interface {interface}",
            " ip ospf area 0",
            # The keyword has it advertise the far end, the host, though the link is unnumbered.
            " ip ospf network point-to-point dmvpn",
            " ip ospf passive",
        ]
    bfd = [
        "bfd",
        f" profile {_BFD_PROFILE}",
        f"  detect-multiplier {_BFD_MISSED}",
        f"  transmit-interval {router.bfd_interval_ms}",
        f"  receive-interval {router.bfd_interval_ms}",
    ]
    texts = {"zebra": ["ip forwarding"], "ospfd": ospf, "bfdd": bfd}
    return {daemon: "".join(f"{line}\n" for line in lines) for daemon, lines in texts.items()}


def folder_of(router: str) -> Path:
    """Of a router's configuration and sockets; it goes with the sandbox."""
    return _RUN_DIR / router


def write_configuration(router: RouterSettings) -> None:
    """Put the files where `command` has the daemons look for them, and nothing else there.

    A socket of daemons that are dead would look as if they lived.

    Raises:
        OSError: they cannot be written.
    """
    folder = folder_of(router.name)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for daemon, text in configuration(router).items():
        (folder / f"{daemon}.conf").write_text(text)


def command(router: str, daemon: str) -> Sequence[str]:
    """What starts a daemon, in the foreground, its log on standard output."""
    folder = folder_of(router)
    return (
        str(_DAEMON_FOLDER / daemon),
        *("--pathspace", router),
        *("--config_file", str(folder / f"{daemon}.conf")),
        *("--user", "root", "--group", "root"),
        *("--vty_port", "0"),
        *("--log", "stdout", "--log-level", "warnings"),
    )


def socket_of_zebra(router: str) -> Path:
    """There when zebra takes the other daemons' requests."""
    return folder_of(router) / "zserv.api"


def ask(router: str, daemon: str, question: str) -> bytes:
    """The answer of a daemon to a command of vtysh(1).

    Raises:
        LinkError: it does not answer.
    """
    folder = str(folder_of(router))
    argv = ["vtysh", "--vty_socket", folder, "--config_dir", folder, "-d", daemon, "-c", question]
    done = subprocess.run(argv, capture_output=True, check=False)
    if done.returncode != 0:
        words = (done.stderr or done.stdout).decode(errors="replace").strip()
        raise LinkError(f"{daemon} of {router} does not answer: {words}")
    return done.stdout


class _Neighbours(msgspec.Struct):
    """Of `show ip ospf neighbor json`; by router id, one entry per interface."""

    neighbors: dict[str, list[_Neighbour]]


class _Neighbour(msgspec.Struct, rename={"state": "nbrState", "interface": "ifaceName"}):
    state: str
    interface: str


class _Session(msgspec.Struct):
    """Of `show bfd peers json`."""

    interface: str
    status: str


def adjacent(neighbours: bytes) -> frozenset[str]:
    """The interfaces behind which an adjacency is full.

    Raises:
        msgspec.DecodeError: that is no answer to `show ip ospf neighbor json`.
    """
    found = msgspec.json.decode(neighbours, type=_Neighbours).neighbors.values()
    return frozenset(
        one.interface.partition(":")[0]
        for several in found
        for one in several
        if one.state.startswith("Full")
    )


def watched(peers: bytes) -> frozenset[str]:
    """The interfaces whose BFD session is up.

    Raises:
        msgspec.DecodeError: that is no answer to `show bfd peers json`.
    """
    sessions = msgspec.json.decode(peers, type=list[_Session])
    return frozenset(one.interface for one in sessions if one.status == "up")

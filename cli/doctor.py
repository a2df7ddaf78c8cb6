"""Say what this machine has for a lab, what is used instead of what it lacks, and how to get it.

Exit code 0: labs can run; 3: they cannot.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import re
import runpy
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from cli.output import messages, print_json, results
from testbed.capabilities import Capabilities, Finding, probe

_GIB = 2**30


@dataclass(frozen=True)
class Part:
    """One thing a lab uses."""

    name: str
    available: bool
    found: str
    """Its version or size; if it is missing, why."""
    required: bool
    """No lab can run without it."""
    instead: str = ""
    """What is used while it is missing."""
    remedy: str = ""
    """How to get it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(arguments: argparse.Namespace) -> int:
    """Examine the machine and print what was found."""
    capabilities = probe()
    parts = [*kernel_parts(capabilities), *program_parts(), *python_parts(), *machine_parts()]
    usable, backend = is_usable(parts), capabilities.link_backend
    if arguments.json:
        print_json({"usable": usable, "links": backend, "parts": parts})
    else:
        results.print(_table(parts))
        messages.print(_verdict(usable, backend))
    return 0 if usable else 3


def is_usable(parts: Sequence[Part]) -> bool:
    """Whether a lab can run at all."""
    return all(part.available for part in parts if part.required)


def kernel_parts(capabilities: Capabilities) -> list[Part]:
    """What the kernel lets us do, as tried."""
    userspace = capabilities.link_backend != "kernel"
    is_root = os.geteuid() == 0
    return [
        _part(
            "namespaces",
            capabilities.sandbox,
            found="opened " + ("by root" if is_root else "in a user namespace"),
            required=True,
        ),
        _part(
            "user namespaces",
            capabilities.user_namespaces,
            found="to be had: ordinary users can run labs",
            instead="root: only root can run labs",
            remedy="sysctl kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu 24.04)",
        ),
        Part(
            "root",
            is_root,
            "real-time priority is to be had" if is_root else "an ordinary user",
            required=False,
            instead="a user namespace, and ordinary priority",
            remedy="sudo; labs run without it too",
        ),
        _part(
            "TAP devices",
            capabilities.tun,
            found="can be made",
            required=userspace,
            instead="" if userspace else "not needed: the kernel makes the links",
            remedy="modprobe tun; in a container, give it /dev/net/tun",
        ),
        _part(
            "netem and HTB",
            capabilities.netem,
            found="can be attached",
            instead="links made by the userspace link daemon",
            remedy="modprobe sch_netem sch_htb (Ubuntu: package linux-modules-extra-...)",
        ),
        _part(
            "OVS kernel datapath",
            capabilities.kernel_datapath,
            found="can be made",
            instead="the OVS userspace datapath: fewer packets/s",
            remedy="modprobe openvswitch (Ubuntu: package linux-modules-extra-...)",
        ),
    ]


def _part(
    name: str,
    finding: Finding,
    found: str = "",
    required: bool = False,
    instead: str = "",
    remedy: str = "",
) -> Part:
    shown = found if finding.available else finding.reason
    return Part(name, finding.available, shown, required, instead, remedy)


def program_parts() -> list[Part]:
    """The programs a lab starts."""
    return [
        _program("Open vSwitch", ["ovs-vswitchd", "--version"], "openvswitch-switch"),
        _program("OVS database", ["ovsdb-server", "--version"], "openvswitch-switch"),
        _program("mnexec", ["mnexec", "-v"], "mininet"),
        recent_enough(_program("iperf 2", ["iperf", "--version"], "iperf"), "2.1", below="3"),
        _program("irtt", ["irtt", "version"], "irtt"),
        _program("ethtool", ["ethtool", "--version"], "ethtool"),
    ]


def _program(name: str, command: Sequence[str], package: str) -> Part:
    remedy = f"apt-get install {package}"
    path = shutil.which(command[0])
    if path is None:
        return Part(name, False, f"no command {command[0]}", required=True, remedy=remedy)
    answer = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    found = first_version(answer.stdout + answer.stderr) or path
    return Part(name, True, found, required=True, remedy=remedy)


def recent_enough(part: Part, at_least: str, below: str) -> Part:
    """The part, missing if its version is not in [at_least, below)."""
    if not part.available or _numbers(at_least) <= _numbers(part.found) < _numbers(below):
        return part
    return replace(part, available=False, found=f"{part.found}, needed: {at_least} or later")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def first_version(text: str) -> str | None:
    """The first thing in a program's answer that looks like a version number."""
    match = re.search(r"\d+(\.\d+)+", text)
    return match.group() if match else None


def python_parts() -> list[Part]:
    """The Python packages that are hardest to come by."""
    set_up = "run ./twinbed of the checkout: it sets itself up"
    return [
        _package("Mininet", "mininet", "apt-get install mininet"),
        _package("Ryu", "ryu", set_up),
        _torch(_package("torch", "torch", set_up)),
    ]


def _package(name: str, package: str, remedy: str) -> Part:
    if importlib.util.find_spec(package) is None:
        return Part(name, False, "not importable", required=True, remedy=remedy)
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        version = "version unknown"
    return Part(name, True, version, required=True, remedy=remedy)


def _torch(part: Part) -> Part:
    """Name the build, without the seconds that importing torch takes."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return part
    cuda = runpy.run_path(str(Path(spec.origin).with_name("version.py"))).get("cuda")
    build = f"CUDA {cuda} build: works, takes gigabytes more" if cuda else "CPU build"
    return Part(part.name, True, f"{part.found}, {build}", required=True)


def machine_parts() -> list[Part]:
    """Processors and memory that this process may use."""
    processors = len(os.sched_getaffinity(0))
    memory_gib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _GIB
    return [
        Part(
            "processors",
            processors >= 2,
            str(processors),
            required=False,
            instead="all share one: keep rates low, runs may be marked invalid",
            remedy="2 or more",
        ),
        Part(
            "memory",
            memory_gib >= 2,
            f"{memory_gib:.1f} GiB",
            required=False,
            instead="what there is",
            remedy="2 GiB or more",
        ),
    ]


def _table(parts: Sequence[Part]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for part in parts:
        lines = [part.found]
        if not part.available:
            lines += [f"used instead: {part.instead}"] if part.instead else []
            lines += [f"to get it: {part.remedy}"] if part.remedy else []
        table.add_row(_mark(part), part.name, escape("\n".join(lines)))
    return table


def _mark(part: Part) -> str:
    if part.available:
        return "[green]ok[/]"
    return "[red]missing[/]" if part.required else "[yellow]without[/]"


def _verdict(usable: bool, backend: str | None) -> str:
    if not usable:
        return "[red]labs cannot run here[/]: mend what is marked missing"
    return f"labs can run here, with {backend} links"

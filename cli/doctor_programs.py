"""The programs and Python packages of a lab, for `twinbed doctor`: there, recent, and used once."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import runpy
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cli.doctor_parts import Part, tried
from testbed import frr
from testbed.attempt import NoAnswerError, ask, attempt
from testbed.capabilities import Capabilities
from testbed.rehearsal import Program, rehearse
from testbed.sandbox import Sandbox

_USE_RYU = """
from controller import runtime
runtime.select("ryu")
import controller.application, controller.process
"""
_SET_UP = "run ./twinbed of the checkout: it sets itself up"
_SET_UP_AGAIN = "remove .venv and run ./twinbed of the checkout: it sets itself up anew"


def program_parts(capabilities: Capabilities, sandbox: Sandbox | None) -> list[Part]:
    """The programs that a lab starts; without a sandbox they are looked for, not used."""
    iperf = recent_enough(_program("iperf 2", ["iperf", "--version"], "iperf"), "2.1", below="3")
    irtt = _program("irtt", ["irtt", "version"], "irtt")
    return [
        _program("Open vSwitch", ["ovs-vswitchd", "--version"], "openvswitch-switch"),
        _program("OVS database", ["ovsdb-server", "--version"], "openvswitch-switch"),
        *([_userspace_datapath(capabilities, sandbox)] if sandbox else []),
        _program("mnexec", ["mnexec", "-v"], "mininet"),
        _used(iperf, "iperf", sandbox),
        _used(irtt, "irtt", sandbox),
        _program("ethtool", ["ethtool", "--version"], "ethtool"),
        _used(_frr(), "frr", sandbox),
    ]


def _frr() -> Part:
    """FRRouting, whose package starts a service that a lab does not need."""
    instead = "nothing: `bench recovery` has no figures for OSPF with BFD"
    remedy = f"apt-get install {frr.PACKAGE}; then, with systemd: systemctl disable --now frr"
    if missing := frr.missing_programs():
        return Part("FRR", False, f"no {', '.join(missing)}", False, instead, remedy)
    return replace(
        _program("FRR", [frr.command("", "zebra")[0], "--version"], frr.PACKAGE),
        required=False,
        instead=instead,
    )


def _program(name: str, version: Sequence[str], package: str) -> Part:
    remedy = f"apt-get install {package}"
    path = shutil.which(version[0])
    if path is None:
        return Part(name, False, f"no command {version[0]}", required=True, remedy=remedy)
    remedy = f"apt-get install --reinstall {package}"
    try:
        answer = ask(version)
    except NoAnswerError as error:
        return Part(name, False, str(error), required=True, remedy=remedy)
    found = first_version(answer.output + answer.complaint) or path
    return Part(name, True, found, required=True, remedy=remedy)


def _used(part: Part, program: Program, sandbox: Sandbox | None) -> Part:
    """The part, missing if it fails when it is used."""
    if not part.available or sandbox is None:
        return part
    finding = rehearse(program, sandbox)
    seen = finding.found if finding.available else finding.reason
    return replace(part, available=finding.available, found=f"{part.found}: {seen}")


def _userspace_datapath(capabilities: Capabilities, sandbox: Sandbox) -> Part:
    needed = capabilities.link_backend != "kernel"
    return tried(
        "OVS userspace datapath",
        rehearse("ovs", sandbox),
        required=needed,
        instead="" if needed else "not needed: the kernel datapath forwards",
        remedy="TAP devices; apt-get install --reinstall openvswitch-switch",
    )


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
    return [
        _package("Mininet", "mininet", "apt-get install mininet"),
        _ryu(_package("Ryu", "ryu", _SET_UP)),
        _torch(_package("torch", "torch", _SET_UP)),
    ]


def _package(name: str, package: str, remedy: str) -> Part:
    if importlib.util.find_spec(package) is None:
        return Part(name, False, "not importable", required=True, remedy=remedy)
    return Part(name, True, _version(package), required=True, remedy=remedy)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "version unknown"


def _ryu(part: Part) -> Part:
    """Import the controller: Ryu works with few versions of eventlet."""
    if not part.available:
        return part
    finding = attempt([sys.executable, "-c", _USE_RYU])
    pair = f"{part.found} on eventlet {_version('eventlet')}"
    seen = "the controller can be loaded" if finding.available else finding.reason
    return replace(part, available=finding.available, found=f"{pair}: {seen}", remedy=_SET_UP_AGAIN)


def _torch(part: Part) -> Part:
    """Name the build, without the seconds that importing torch takes."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return part
    cuda = runpy.run_path(str(Path(spec.origin).with_name("version.py"))).get("cuda")
    build = f"CUDA {cuda} build: works, takes gigabytes more" if cuda else "CPU build"
    return replace(part, found=f"{part.found}, {build}")

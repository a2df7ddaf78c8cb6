"""The flow and group tables of real switches, as ovs-ofctl(8) prints them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping

import msgspec

from testbed.openvswitch import OpenVSwitchError


class SwitchTables(msgspec.Struct, frozen=True):
    """What one switch holds."""

    flows: str
    groups: str


def dump(switches: Iterable[str]) -> Mapping[str, SwitchTables]:
    """The tables of `switches`, in this sandbox.

    Raises:
        OpenVSwitchError: a switch does not answer.
    """
    return {
        switch: SwitchTables(
            _ofctl("dump-flows", switch, "--no-stats"), _ofctl("dump-groups", switch)
        )
        for switch in switches
    }


def _ofctl(command: str, switch: str, *options: str) -> str:
    argv = ["ovs-ofctl", "--protocols=OpenFlow13", "--no-names", *options, command, switch]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OpenVSwitchError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout

"""The flow, group and meter tables of real switches, as ovs-ofctl(8) prints them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from testbed.openvswitch import OpenVSwitchError, environment


class SwitchTables(msgspec.Struct, frozen=True):
    """What one switch holds."""

    flows: str
    """With their counters."""
    groups: str
    group_counters: str = ""
    meters: str = ""


def dump(switches: Iterable[str], entering: Sequence[str] = ()) -> Mapping[str, SwitchTables]:
    """The tables of `switches`, in this sandbox, or in that of the lab that `entering` enters.

    Raises:
        OpenVSwitchError: a switch does not answer.
    """
    return {
        switch: SwitchTables(
            _ofctl(entering, "dump-flows", switch),
            _ofctl(entering, "dump-groups", switch),
            _ofctl(entering, "dump-group-stats", switch),
            _ofctl(entering, "dump-meters", switch),
        )
        for switch in switches
    }


def running_switches(entering: Sequence[str] = ()) -> tuple[str, ...]:
    """The switches that there are: those that have crashed are missing.

    Raises:
        OpenVSwitchError: Open vSwitch does not answer.
    """
    return tuple(_output([*entering, "ovs-vsctl", "--timeout=5", "list-br"]).split())


def _ofctl(entering: Sequence[str], command: str, switch: str) -> str:
    options = ["--protocols=OpenFlow13", "--no-names", "--timeout=5"]
    return _output([*entering, "ovs-ofctl", *options, command, switch])


def _output(argv: Sequence[str]) -> str:
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, env={**os.environ, **environment()}
    )
    if done.returncode != 0:
        raise OpenVSwitchError(f"{' '.join(argv)}: {done.stderr.strip()}")
    return done.stdout

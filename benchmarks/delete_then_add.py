"""How tables are changed carelessly: what is not wanted any more goes, then the new is added."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping

from testbed.openvswitch import OpenVSwitchError
from testbed.switch_tables import SwitchTables

_COUNTERS = ("duration=", "n_packets=", "n_bytes=")

Tables = Mapping[str, SwitchTables]


def delete_then_add(before: Tables, after: Tables) -> Callable[[], float]:
    """Prepare the change from `before` to `after`; the call makes it, and returns how long it took
    in seconds.

    All switches change at once, by programs that are running already: what is lost is lost to the
    order of the steps, not to slow tools.
    """
    held = {switch: _entries(tables) for switch, tables in before.items()}
    wanted = {switch: _entries(tables) for switch, tables in after.items()}
    steps = [
        {s: [f"delete_strict {_key(e)}" for e in held[s] - wanted[s]] for s in held},
        {s: [f"add {entry}" for entry in wanted[s] - held[s]] for s in wanted},
    ]
    ready = [{s: _waiting(s, lines) for s, lines in step.items() if lines} for step in steps]

    def change() -> float:
        start_s = time.monotonic()
        for step in ready:
            for process in step.values():
                assert process.stdin is not None
                process.stdin.close()  # they begin when they have read all
            for switch, process in step.items():
                if process.wait() != 0:
                    raise OpenVSwitchError(f"ovs-ofctl add-flows {switch} failed")
        return time.monotonic() - start_s

    return change


def _entries(tables: SwitchTables) -> set[str]:
    """The entries, one a line, without their counters; the first line is a heading."""
    return {_without_counters(line) for line in tables.flows.splitlines()[1:]}


def _without_counters(line: str) -> str:
    fields, actions, what = line.strip().partition(" actions=")
    kept = (f.strip() for f in fields.split(",") if not f.strip().startswith(_COUNTERS))
    return ",".join(kept) + actions + what


def _key(entry: str) -> str:
    """Table, priority and match of an entry."""
    fields = entry.partition(" actions=")[0]
    return ",".join(f.strip() for f in fields.split(",") if not f.strip().startswith("cookie="))


def _waiting(switch: str, lines: list[str]) -> subprocess.Popen[str]:
    argv = ["ovs-ofctl", "--protocols=OpenFlow13", "add-flows", switch, "-"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write("\n".join(lines) + "\n")
    process.stdin.flush()
    return process

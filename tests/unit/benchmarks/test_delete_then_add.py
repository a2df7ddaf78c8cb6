from __future__ import annotations

from benchmarks.delete_then_add import _entries, _key
from testbed.switch_tables import SwitchTables

DUMP = (
    "OFPST_FLOW reply (OF1.3) (xid=0x2):\n cookie=0x7477, duration={s}s, table=2, n_packets={n}, "
    "n_bytes={b}, priority=200,in_port=1 actions=output:2\n"
)


def test_counters_do_not_make_another_entry() -> None:
    early, late = (
        SwitchTables(flows=DUMP.format(s=s, n=n, b=b), groups="")
        for s, n, b in (("1.2", 0, 0), ("9.7", 12, 1200))
    )
    (entry,) = _entries(early)
    assert _entries(early) == _entries(late)
    assert entry.endswith("priority=200,in_port=1 actions=output:2")
    assert _key(entry) == "table=2,priority=200,in_port=1"

"""What `ovs-ofctl dump-flows`, `dump-groups` and `dump-group-stats` print, as rows for people.

Match and actions stay in the words of Open vSwitch (ovs-fields(7), ovs-actions(7)), with the names
of the nodes behind port numbers, so any entry can be shown, whoever put it there.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from controller.dumped_tables import DEFAULT_PRIORITY
from controller.flow_entries import kind_of, pair_of
from topologies.addressing import Addressing
from topologies.model import OdPair
from topologies.policies import ANYONE

_FIELD = re.compile(r"\b(cookie|duration|table|n_packets|n_bytes|priority)=([\w.]+),? ?")
_PAIR = re.compile(r"\bin_port=(\d+),dl_dst=([0-9a-f:]{17})")
_GIVES_LABEL = re.compile(r"set_field:([0-9a-f:]{17})->eth_dst")
_LABEL = re.compile(r"dl_dst=([0-9a-f:]{17})")
_BRANCH = re.compile(r"\breg0=\w+,dl_dst=([0-9a-f:]{17}).*set_field:([0-9a-f:]{17})->eth_dst")
_PORT = re.compile(r"\b(output:|in_port=|watch_port:)(\d+)")
_GROUP = re.compile(r"group_id=(\d+),type=(\w+),(.*)")
_COUNTED = re.compile(r"group_id=(\d+),.*?packet_count=(\d+),byte_count=(\d+)(.*)")
_BUCKET_PACKETS = re.compile(r"bucket\d+:packet_count=(\d+)")


@dataclass(frozen=True)
class FlowRow:
    """One flow entry; counters are None where they were not recorded."""

    table: int
    priority: int
    kind: str
    """What the controller has put it there for; empty for somebody else's."""
    pair: OdPair | None
    """Whose packets it is for, where that can be told; `ANYONE` to a host if several share it."""
    match: str
    actions: str
    packets: int | None
    bytes: int | None


@dataclass(frozen=True)
class GroupRow:
    """One group; counters are None where they were not recorded."""

    group_id: int
    kind: str
    buckets: str
    packets: int | None
    bytes: int | None
    bucket_packets: tuple[int, ...]


def label_pairs(addressing: Addressing, dumps: Mapping[str, str]) -> Mapping[str, OdPair]:
    """The pair that each label stands for, from the ingress entries of all switches and the
    branches of splits; of pairs that share a label, the source is `ANYONE`."""
    pairs: defaultdict[str, set[OdPair]] = defaultdict(set)
    for switch, line in ((name, line) for name in dumps for line in dumps[name].splitlines()):
        pair, label = _addressed(addressing, switch, line), _GIVES_LABEL.search(line)
        if pair and label:
            pairs[label[1]].add(pair)
    for line in (line for dump in dumps.values() for line in dump.splitlines()):
        if branch := _BRANCH.search(line):
            pairs[branch[2]] |= pairs[branch[1]]
    return {label: _together(sharing) for label, sharing in pairs.items() if sharing}


def flow_rows(
    addressing: Addressing, switch: str, dump: str, labels: Mapping[str, OdPair]
) -> list[FlowRow]:
    """The entries of one switch, in the order in which a packet meets them."""
    lines = (line for line in dump.splitlines() if "actions=" in line)
    rows = [_flow_row(addressing, switch, line, labels) for line in lines]
    return sorted(rows, key=lambda row: (row.table, -row.priority, row.pair or ("", "")))


def group_rows(addressing: Addressing, switch: str, dump: str, counters: str) -> list[GroupRow]:
    """The groups of one switch, by number."""
    counted = {
        int(group): (int(packets), int(count), tuple(map(int, _BUCKET_PACKETS.findall(rest))))
        for group, packets, count, rest in _COUNTED.findall(counters)
    }
    rows = []
    for group, kind, buckets in _GROUP.findall(dump):
        packets, count, by_bucket = counted.get(int(group), (None, None, ()))
        named = _named(addressing, switch, buckets)
        rows.append(GroupRow(int(group), kind, named, packets, count, by_bucket))
    return sorted(rows, key=lambda row: row.group_id)


def _flow_row(
    addressing: Addressing, switch: str, line: str, labels: Mapping[str, OdPair]
) -> FlowRow:
    before, _, actions = line.partition("actions=")
    fields, match = dict(_FIELD.findall(before)), _FIELD.sub("", before).strip(" ,")
    label = _LABEL.search(match)
    kind = kind_of(int(fields.get("cookie", "0"), 16))
    return FlowRow(
        table=int(fields.get("table", "0")),
        priority=int(fields.get("priority", DEFAULT_PRIORITY)),
        kind=kind.name.lower() if kind else "",
        pair=_addressed(addressing, switch, match) or (labels.get(label[1]) if label else None),
        match=_named(addressing, switch, match),
        actions=_named(addressing, switch, actions),
        packets=_number(fields.get("n_packets")),
        bytes=_number(fields.get("n_bytes")),
    )


def _together(pairs: AbstractSet[OdPair]) -> OdPair:
    source, target = min(pairs)
    return (source if len(pairs) == 1 else ANYONE), target


def _addressed(addressing: Addressing, switch: str, text: str) -> OdPair | None:
    found = _PAIR.search(text)
    if not found:
        return None
    return pair_of(addressing, switch, {"in_port": int(found[1]), "eth_dst": found[2]})


def _named(addressing: Addressing, switch: str, text: str) -> str:
    """Port numbers with the node behind them, such as `output:3(s5)`."""

    def named(port: re.Match[str]) -> str:
        neighbour = addressing.neighbour.get((switch, int(port[2])))
        return f"{port[0]}({neighbour})" if neighbour else port[0]

    return _PORT.sub(named, text)


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)

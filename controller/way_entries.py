"""The entries of a whole way: of a single path, or of all the paths of a split.

Every path of a split has a label and entries, as if it were the only one, and the split has a label
of its own, too. The ingress entry sets that one, and writes a hash of addresses, protocol and
ports, modulo the sum of all weights, into a register. In the table of labels, a branch entry for
each of its values does what the ingress entry of the path would: set the label, and send.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from controller.flow_entries import (
    LABELS,
    PRIORITY,
    FlowEntry,
    Kind,
    RouteEntries,
    cookie_of,
    route_entries,
)
from controller.flows import Routed
from controller.labels import label_mac
from topologies.addressing import Addressing
from topologies.detours import Hop
from topologies.model import Split, Way


def way_entries(
    addressing: Addressing,
    routed: Routed,
    way: Way,
    label_of: Callable[[Way], int],
    group_id: Callable[[Hop], int | None],
) -> RouteEntries:
    """The entries that carry `routed`.

    `label_of` is asked for the label that the ingress entry sets, then for those of the paths of a
    split; `group_id` names the group that protects a hop, if one does.
    """
    label = label_of(way)
    if not isinstance(way, Split):
        return route_entries(addressing, routed, way, label, group_id)
    parts = [
        route_entries(addressing, routed, path, label_of(path), group_id)
        for path, _ in way.branches
    ]
    shares = [
        part.ingress
        for part, (_, weight) in zip(parts, way.branches, strict=True)
        for _ in range(weight)
    ]
    ingress = replace(
        parts[0].ingress,
        cookie=cookie_of(Kind.INGRESS, label),
        set_eth_dst=label_mac(label),
        spread=len(shares),
        output=None,
        group=None,
        goto=LABELS,
    )
    return RouteEntries(
        ingress,
        (
            *(entry for part in parts for entry in part.behind),
            *(_branch(label, value, share) for value, share in enumerate(shares)),
        ),
    )


def _branch(label: int, value: int, ingress: FlowEntry) -> FlowEntry:
    """What `ingress` does, for the packets of the split whose hash is `value`."""
    return replace(
        ingress,
        table=LABELS,
        priority=PRIORITY[Kind.BRANCH],
        match=frozenset({("eth_dst", label_mac(label)), ("reg0", value)}),
        cookie=cookie_of(Kind.BRANCH, label),
    )

"""The faults of a run as its events tell them: their names, and which links each one hits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from topologies.model import DirectedLink, Topology

FaultKind = Literal[
    "link-down", "end-down", "silent", "degrade", "flap", "switch-crash", "host-crash"
]
"""What a playbook calls it, and every recovery figure."""

FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)

BEGINS: Mapping[FaultKind, str] = {
    "link-down": "link-down",
    "end-down": "end-down",
    "silent": "silent-start",
    "degrade": "degrade-start",
    "flap": "flap-down",
    "switch-crash": "switch-crash",
    "host-crash": "host-crash",
}
"""The event with which each kind of fault begins."""

ENDS: Mapping[FaultKind, str] = {
    "link-down": "link-up",
    "end-down": "end-up",
    "silent": "silent-end",
    "degrade": "degrade-end",
    "flap": "flap-up",
    "switch-crash": "switch-restart",
    "host-crash": "host-restart",
}
"""The event with which it ends. A flap begins and ends once a cycle."""

KIND_OF: Mapping[str, FaultKind] = {
    event: kind for kind in FAULT_KINDS for event in (BEGINS[kind], ENDS[kind])
}
"""The kind of fault that an event is about."""


def hit_directions(
    kind: FaultKind, detail: Mapping[str, Any], topology: Topology
) -> frozenset[DirectedLink]:
    """Return the directions that a fault is about, as its event details it; access links too.

    One-end failures hit both directions: without carrier at one end no frame passes either way.
    """
    if kind == "switch-crash" or kind == "host-crash":
        node = detail["switch" if kind == "switch-crash" else "host"]
        return frozenset(direction for direction in topology.link_between if node in direction)
    a, b = map(str, detail["link"])
    if kind == "silent" and "from" in detail:
        return frozenset({(a, b) if detail["from"] == a else (b, a)})
    return frozenset({(a, b), (b, a)})


def dead_directions(
    kind: FaultKind, detail: Mapping[str, Any], topology: Topology
) -> frozenset[DirectedLink]:
    """Return the directions over which nothing passes while it lasts: of a degraded link none."""
    return frozenset() if kind == "degrade" else hit_directions(kind, detail, topology)

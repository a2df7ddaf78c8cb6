"""Precomputed ways round one failure: past a dead switch where there is one, else past a dead link.

What would cross a failed hop is carried round it and let go where its path goes on (the facility
backup of RFC 4090, section 3.2, to the next-next hop where the topology allows). A detour depends
on the hop alone, not on the routes that cross it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from topologies.model import DirectedLink, Path, Topology
from topologies.paths import Weight, shortest_paths_from

Hop = tuple[str, str, "str | None"]
"""A switch, the next one on a path, and the one after that; None: the path ends at the next."""

_TAGS = range(1, 4095)
"""VLAN identifiers; 0 and 4095 are reserved (IEEE 802.1Q)."""


@dataclass(frozen=True)
class Detour:
    """From the switch before the failure to the one where a packet is on its path again."""

    path: Path
    tag: int
    """No other detour through any of these switches but the first has it."""


def detours(topology: Topology, weight: Weight = "delay") -> dict[Hop, Detour]:
    """The detour of every hop that has one, without the failed link and, if it can be, switch.

    A hop that nothing leads round is absent.
    """
    paths = dict(_paths(topology, weight))
    tags = _tags(paths.values())
    return {hop: Detour(path, tags[path]) for hop, path in paths.items() if path in tags}


def _paths(topology: Topology, weight: Weight) -> Iterator[tuple[Hop, Path]]:
    neighbours: defaultdict[str, list[str]] = defaultdict(list)
    for a, b in topology.core_directions:
        neighbours[a].append(b)
    for dead in sorted(neighbours):
        around_switch = frozenset(
            hop for other in neighbours[dead] for hop in ((dead, other), (other, dead))
        )
        for here in neighbours[dead]:
            past_switch = shortest_paths_from(topology, here, weight, around_switch)
            around_link: frozenset[DirectedLink] = frozenset({(here, dead), (dead, here)})
            past_link = shortest_paths_from(topology, here, weight, around_link).get(dead)
            for following in (None, *neighbours[dead]):
                path = past_switch.get(following, past_link) if following else past_link
                if path is not None and following != here:
                    yield (here, dead, following), path


def _tags(paths: Iterable[Path]) -> Mapping[Path, int]:
    """A tag for every path, few in all: by the order of the paths, the first that is free."""
    used: defaultdict[str, set[int]] = defaultdict(set)
    tags: dict[Path, int] = {}
    for path in sorted(set(paths)):
        taken = set().union(*(used[switch] for switch in path[1:]))
        tag = next((tag for tag in _TAGS if tag not in taken), None)
        if tag is not None:
            tags[path] = tag
            for switch in path[1:]:
                used[switch].add(tag)
    return tags

"""Which links are up, from what both of their ports report."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from topologies.model import DirectedLink, Path, Topology


class Links:
    """The state of every port towards a neighbour; all are up until one is reported down."""

    def __init__(self, topology: Topology) -> None:
        self._core = frozenset(topology.core_directions)
        self._down_ports: set[DirectedLink] = set()
        self.dead: frozenset[DirectedLink] = frozenset()
        """Both directions of every core link that has a port down."""

    @property
    def down_ports(self) -> tuple[DirectedLink, ...]:
        """(switch, neighbour) of every port that is down, access ports too, sorted."""
        return tuple(sorted(self._down_ports))

    def is_core(self, switch: str, neighbour: str) -> bool:
        """Whether a port leads to another switch."""
        return (switch, neighbour) in self._core

    def set_port(self, switch: str, neighbour: str, up: bool) -> bool:
        """Note what a switch reports of a port; return whether that is news."""
        port = (switch, neighbour)
        if up == (port not in self._down_ports):
            return False
        if up:
            self._down_ports.remove(port)
        else:
            self._down_ports.add(port)
        both_ways = {direction for a, b in self._down_ports for direction in ((a, b), (b, a))}
        self.dead = self._core & both_ways
        return True

    def dead_link_on(self, path: Path) -> DirectedLink | None:
        """The first dead link that `path` crosses."""
        return next((hop for hop in pairwise(path) if hop in self.dead), None)

    def around(self, switches: Iterable[str]) -> frozenset[DirectedLink]:
        """Every core direction from or to one of `switches`."""
        inside = frozenset(switches)
        return frozenset(hop for hop in self._core if not inside.isdisjoint(hop))

"""Networks whose nodes find the paths among themselves, without a controller."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from itertools import chain

from testbed.interface_counters import InterfaceCounters, interface_counters
from testbed.links.backend import LinkCondition, LinkError
from testbed.network import Network
from topologies.model import DirectedLink, Link, Routing
from topologies.paths import path_directions, shortest_paths

STEADY_S = 1.5
"""Paths that have not changed for so long are final: longer than any timer between two steps."""
_POLL_S = 0.1


class DistributedNetwork(Network, ABC):
    """A network with a routing protocol of its own, which takes a while to converge."""

    @abstractmethod
    def paths(self) -> Routing:
        """The path of every pair as the nodes forward now; pairs that have none are absent.

        Raises:
            LinkError: a node does not answer.
        """

    @abstractmethod
    def is_final(self, paths: Routing) -> bool:
        """Whether the protocol has nothing left to do that could change `paths`.

        Raises:
            LinkError: a node does not answer.
        """

    def set_control_channel(self, switch: str, connected: bool) -> None:
        """Do nothing: there is no controller to be cut off from."""

    def dead_processes(self) -> Sequence[str]:
        """What has ended of the nodes that run, though it should not; a sentence each."""
        return ()

    def port_counters(self, switch: str) -> Mapping[str, InterfaceCounters]:
        """Of the ports of a switch that are there, by neighbour: as the kernel counts, which is
        what Open vSwitch tells too.

        Raises:
            OSError: it has no process any more.
        """
        seen = interface_counters(self.hosts.pid(switch) if switch in self.hosts else None)
        ports = {
            there: self.addressing.interface(here, there)
            for here, there in self.addressing.port
            if here == switch
        }
        return {there: seen[name] for there, name in ports.items() if name in seen}

    def whole_links(self) -> tuple[Link, ...]:
        """The core links that nothing is wrong with, at neither end."""
        running = set(self.switches)
        return tuple(
            link
            for link in self.topology.core_links
            if self._condition[link] == LinkCondition() and {link.a, link.b} <= running
        )

    def broken_directions(self) -> frozenset[DirectedLink]:
        """Both directions of all other core links."""
        whole = chain.from_iterable(link.directions for link in self.whole_links())
        return frozenset(self.topology.core_directions) - frozenset(whole)

    def await_convergence(self, timeout_s: float) -> Routing:
        """Wait until the paths are final, and return them.

        Raises:
            LinkError: they are not, after that time, or a node does not answer.
        """
        convergence = Convergence(self)
        deadline_s = time.monotonic() + timeout_s
        while not convergence.reached():
            if time.monotonic() > deadline_s:
                raise LinkError(f"the network had not converged after {timeout_s:g} s")
            time.sleep(_POLL_S)
        return convergence.paths


class Convergence:
    """Watches a network until its paths are final: all there, agreed upon, and steady."""

    def __init__(self, network: DistributedNetwork) -> None:
        self._network = network
        self._since_s = time.monotonic()
        self.paths: Routing = {}

    def reached(self) -> bool:
        """Look again.

        Raises:
            LinkError: a node does not answer.
        """
        now_s = time.monotonic()
        paths = self._network.paths()
        if paths != self.paths or not self._is_final(paths):
            self.paths, self._since_s = paths, now_s
        return now_s - self._since_s >= STEADY_S

    def _is_final(self, paths: Routing) -> bool:
        broken = self._network.broken_directions()
        possible = shortest_paths(self._network.topology, down=broken)
        crossed = {hop for path in paths.values() for hop in path_directions(path)}
        complete = possible.keys() == paths.keys() and broken.isdisjoint(crossed)
        return complete and self._network.is_final(paths)

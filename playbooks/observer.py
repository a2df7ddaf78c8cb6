"""What is recorded of a network without a controller: its port counters, and the paths it finds.

They stand where a controller's messages would, in the same form; what only a controller could
know is not there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from threading import Event, Thread

import msgspec

from controller.messages import OBSERVED, Message, PortCounters, PortStats, Route, Routes
from testbed.distributed import DistributedNetwork
from testbed.interface_counters import InterfaceCounters
from testbed.links.backend import LinkError
from topologies.model import Routing

TICK_S = 0.25
"""Between two readings of all ports: the controller's pace."""
_PATHS_EVERY = 4
_SILENT_S = 5.0
"""While a node crashes or starts it may not answer, but not so long."""


class Observer:
    """Appends to `journal`, in a thread of its own, from `start` to `stop`."""

    def __init__(self, network: DistributedNetwork, paths: Routing, journal: Path) -> None:
        self._network = network
        self._journal = journal
        self._number = count(1)
        self._known: Routing = {}
        self._first = paths
        self._answered_s = time.monotonic()
        self._ended = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self.problem = ""
        """Why nothing more is recorded, or the network is not what it should be."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the reading that is under way."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._tell_paths(self._first)
            due_s = time.monotonic()
            for tick in count():
                self._read_ports()
                if tick % _PATHS_EVERY == 0:
                    self._read_paths()
                due_s = max(due_s + TICK_S, time.monotonic())
                if self._ended.wait(due_s - time.monotonic()):
                    return
        except Exception as error:  # noqa: BLE001 - whatever ends this thread ends the run
            self.problem = f"the network could not be observed: {error}"

    def _read_ports(self) -> None:
        for switch in self._network.switches:
            seen = self._network.port_counters(switch)
            now_s = time.monotonic()
            self._tell(PortStats(t_s=now_s, datapath=switch, ports=port_counters(seen)))

    def _read_paths(self) -> None:
        problem = "; ".join(self._network.dead_processes())
        try:
            paths = self._network.paths()
        except LinkError as error:
            silent = time.monotonic() - self._answered_s > _SILENT_S
            self.problem = str(error) if silent else problem
            return
        self.problem = problem
        self._answered_s = time.monotonic()
        self._tell_paths(paths)

    def _tell_paths(self, paths: Routing) -> None:
        changed = [(pair, path) for pair, path in paths.items() if self._known.get(pair) != path]
        self._known = {**self._known, **paths}
        if changed:
            routes = tuple(Route(*pair, path) for pair, path in changed)
            self._tell(Routes(t_s=time.monotonic(), cause=OBSERVED, routes=routes))

    def _tell(self, message: Message) -> None:
        numbered = msgspec.structs.replace(message, seq=next(self._number))
        with self._journal.open("ab") as journal:
            journal.write(msgspec.json.encode(numbered) + b"\n")


def port_counters(seen: Mapping[str, InterfaceCounters]) -> tuple[PortCounters, ...]:
    """The counters of interfaces, by the neighbour behind each, as those of ports."""
    return tuple(
        PortCounters(
            neighbour=neighbour,
            rx_packets=one.received.packets,
            tx_packets=one.sent.packets,
            rx_bytes=one.received.bytes,
            tx_bytes=one.sent.bytes,
            rx_dropped=one.received.dropped,
            tx_dropped=one.sent.dropped,
        )
        for neighbour, one in seen.items()
    )

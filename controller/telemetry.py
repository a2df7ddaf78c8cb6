"""What the switches are asked, how often, and what of their answers is told."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from controller import openflow
from controller.counters import OdTotals, group_counters, meter_counters, port_counters
from controller.echoes import Echoes
from controller.link_probes import LinkProbes
from controller.messages import (
    Gap,
    GroupStats,
    Message,
    MeterStats,
    OdStats,
    PortStats,
    SwitchHealth,
)
from controller.polling import Poll
from controller.switches import OpenFlowSwitches
from topologies.addressing import Addressing
from topologies.model import DirectedLink, Topology

TICK_S = 0.25
"""The clock of every switch: its ports are read at each tick, all else more rarely."""

_TURN, _TURN_PHASE = 4, 1
"""Its links are probed at one tick of four: once a second."""

_PORTS, _PAIRS, _GROUPS, _METERS, _HEALTH = (
    "port-stats",
    "od-stats",
    "group-stats",
    "meter-stats",
    "switch-health",
)
"""The messages that come of polls."""

_SENT_AT = struct.Struct("!d")


def _polls() -> dict[str, Poll]:
    return {
        _HEALTH: Poll(every=4, phase=3),  # first of all, so that it waits for nothing else
        _PORTS: Poll(every=1),
        _PAIRS: Poll(every=2),  # Open vSwitch refreshes its flow counters so often
        _GROUPS: Poll(every=4, phase=1),
        _METERS: Poll(every=4, phase=3),
    }


@dataclass
class _Switch:
    polls: Mapping[str, Poll] = field(default_factory=_polls)
    echoes: Echoes = field(default_factory=Echoes)

    @property
    def answers(self) -> bool:
        """Whether it answers in time."""
        return not any(poll.overdue for poll in self.polls.values())


class Telemetry:
    """Polls and probes the switches of one network.

    Args:
        topology: the network.
        addressing: its numbers.
        switches: those that are connected.
        publish: takes what is to be told.
        dead: both directions of every link that has a port down.
        clock: seconds of CLOCK_MONOTONIC.
    """

    def __init__(
        self,
        topology: Topology,
        addressing: Addressing,
        switches: OpenFlowSwitches,
        publish: Callable[[Message], None],
        dead: Callable[[], frozenset[DirectedLink]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addressing = addressing
        self._connections = switches
        self._publish = publish
        self._dead = dead
        self._clock = clock
        self._switches = {switch.name: _Switch() for switch in topology.switches}
        self._totals = OdTotals(addressing)
        self._probes = LinkProbes(
            topology, addressing, publish, lambda name: self._switches[name].echoes.least_s
        )

    def tick(self, switch: str, number: int) -> None:
        """Do what is due of `switch` at this tick."""
        if number % _TURN == _TURN_PHASE:
            self._probe(switch)  # of one that is not connected, nothing is suspected
        if switch not in self._connections.connected:
            return
        for missing, poll in self._switches[switch].polls.items():
            due = poll.tick(number)
            if due == "ask":
                self._ask(switch, missing)
            elif due == "gap":
                gap = Gap(
                    t_s=self._clock(),
                    datapath=switch,
                    missing=missing,
                    answered_s=poll.answered_s,
                )
                self._publish(gap)

    def lost(self, switch: str) -> None:
        """A connection of `switch` has ended, and all that was asked over it."""
        for poll in self._switches[switch].polls.values():
            poll.forget()

    def snapshot(self) -> Iterable[Message]:
        """What a new subscriber has to know."""
        return self._probes.snapshot(self._clock())

    # --- answers ------------------------------------------------------------------------------

    def port_stats(self, switch: str, stats: Sequence[Any]) -> None:
        """The port counters of `switch` have arrived."""
        now_s = self._answered(switch, _PORTS)
        ports = port_counters(self._addressing, switch, stats)
        self._publish(PortStats(t_s=now_s, datapath=switch, ports=ports))
        for port in ports:
            self._probes.counted(switch, port.neighbour, port.rx_packets, now_s)

    def flow_stats(self, switch: str, stats: Sequence[Any]) -> None:
        """The counters of the ingress entries of `switch` have arrived."""
        now_s = self._answered(switch, _PAIRS)
        self._publish(OdStats(t_s=now_s, datapath=switch, pairs=self._totals.update(switch, stats)))

    def group_stats(self, switch: str, stats: Sequence[Any]) -> None:
        """The counters of the groups of `switch` have arrived."""
        now_s = self._answered(switch, _GROUPS, empty=not stats)
        self._publish(GroupStats(t_s=now_s, datapath=switch, groups=group_counters(stats)))

    def meter_stats(self, switch: str, stats: Sequence[Any]) -> None:
        """The counters of the meters of `switch` have arrived."""
        now_s = self._answered(switch, _METERS, empty=not stats)
        self._publish(MeterStats(t_s=now_s, datapath=switch, meters=meter_counters(stats)))

    def echo(self, switch: str, data: bytes) -> None:
        """An echo reply of `switch` has arrived, with the `data` of its request."""
        if len(data) != _SENT_AT.size:
            return
        now_s = self._answered(switch, _HEALTH)
        round_trip_s = now_s - _SENT_AT.unpack(data)[0]
        state = self._switches[switch]
        state.echoes.add(round_trip_s)
        owed = sum(poll.outstanding for poll in state.polls.values())
        self._publish(
            SwitchHealth(
                t_s=now_s,
                datapath=switch,
                echo_ms=round_trip_s * 1e3,
                outstanding=owed + self._connections.awaited(switch),
                slowdown=max(poll.slowdown for poll in state.polls.values()),
            )
        )

    def probe(self, switch: str, port: int, frame: bytes) -> None:
        """A frame that claims to be LLDP came in by `port` of `switch`."""
        self._probes.arrived(switch, port, frame, self._clock())

    # --- questions ----------------------------------------------------------------------------

    def _ask(self, switch: str, missing: str) -> None:
        requests: Mapping[str, Callable[[Any], Any]] = {
            _PORTS: openflow.port_stats_request,
            _PAIRS: openflow.ingress_stats_request,
            _GROUPS: openflow.group_stats_request,
            _METERS: openflow.meter_stats_request,
            _HEALTH: lambda datapath: openflow.echo_request(datapath, _SENT_AT.pack(self._clock())),
        }
        self._connections.ask(switch, requests[missing])

    def _probe(self, switch: str) -> None:
        for port, frame in self._probes.turn(switch, self._usable, self._clock()):
            self._connections.ask(switch, partial(openflow.packet_out, port=port, frame=frame))

    def _usable(self, direction: DirectedLink) -> bool:
        """Whether both ends of a core link answer and see it up."""
        return direction not in self._dead() and all(
            name in self._connections.connected and self._switches[name].answers
            for name in direction
        )

    def _answered(self, switch: str, kind: str, *, empty: bool = False) -> float:
        now_s = self._clock()
        self._switches[switch].polls[kind].answered(now_s, empty=empty)
        return now_s

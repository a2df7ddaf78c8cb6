"""Telemetry as a bad network delivers it: lost, late, repeated, in part, of restarted switches."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hypothesis import strategies as st

from controller.messages import FromController, OdCounters, OdStats, PortCounters, PortStats

Counters = PortStats | OdStats


@dataclass
class Disturbance:
    """What befalls counters on their way; everything else passes."""

    seed: int
    lost: float
    late: float
    twice: float
    in_part: float
    restarts: tuple[tuple[float, str], ...] = ()
    """When, and which switch: its counters begin again at zero."""
    _base: dict[tuple[type, str], Counters] = field(default_factory=dict)
    _newest: dict[tuple[type, str], Counters] = field(default_factory=dict)
    _held: list[tuple[float, Counters]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def deliver(self, messages: Iterable[FromController], now_s: float) -> Iterator[FromController]:
        """Yield what arrives at `now_s`."""
        for message in messages:
            if isinstance(message, Counters):
                yield from self._counters(self._since_restart(message), now_s)
            else:
                yield message
        due = [message for at_s, message in self._held if at_s <= now_s]
        self._held = [(at_s, message) for at_s, message in self._held if at_s > now_s]
        yield from due

    def _counters(self, message: Counters, now_s: float) -> Iterator[Counters]:
        if self._happens(self.lost):
            return
        if self._happens(self.in_part):
            message = self._part_of(message)
        if self._happens(self.twice):
            self._held.append((now_s + self._random.uniform(0, 2), message))
        if self._happens(self.late):
            self._held.append((now_s + self._random.uniform(0, 2), message))
        else:
            yield message

    def _since_restart(self, message: Counters) -> Counters:
        key = (type(message), message.datapath)
        earlier = self._newest.get(key)
        self._newest[key] = message
        for at_s, switch in self.restarts:
            if switch == message.datapath and earlier and earlier.t_s < at_s <= message.t_s:
                self._base[key] = earlier
        return _minus(message, self._base[key]) if key in self._base else message

    def _part_of(self, message: Counters) -> Counters:
        if isinstance(message, PortStats):
            ports = tuple(port for port in message.ports if self._happens(0.5))
            return PortStats(t_s=message.t_s, datapath=message.datapath, ports=ports)
        pairs = tuple(pair for pair in message.pairs if self._happens(0.5))
        return OdStats(t_s=message.t_s, datapath=message.datapath, pairs=pairs)

    def _happens(self, share: float) -> bool:
        return self._random.random() < share


def disturbances(
    switches: tuple[str, ...], start_s: float, end_s: float
) -> st.SearchStrategy[Disturbance]:
    """Anything from quiet to hopeless."""
    share = st.sampled_from([0.0, 0.1, 0.3, 0.6])
    restart = st.tuples(st.floats(start_s, end_s), st.sampled_from(switches))
    return st.builds(
        Disturbance,
        seed=st.integers(0, 2**32),
        lost=share,
        late=share,
        twice=share,
        in_part=share,
        restarts=st.lists(restart, max_size=3).map(tuple),
    )


def _minus(message: Counters, base: Counters) -> Counters:
    if isinstance(message, PortStats) and isinstance(base, PortStats):
        before = {port.neighbour: port for port in base.ports}
        ports = tuple(_port_minus(port, before[port.neighbour]) for port in message.ports)
        return PortStats(t_s=message.t_s, datapath=message.datapath, ports=ports)
    assert isinstance(message, OdStats)
    assert isinstance(base, OdStats)
    counted = {(pair.src, pair.dst): pair for pair in base.pairs}
    pairs = tuple(_pair_minus(pair, counted[pair.src, pair.dst]) for pair in message.pairs)
    return OdStats(t_s=message.t_s, datapath=message.datapath, pairs=pairs)


def _port_minus(port: PortCounters, base: PortCounters) -> PortCounters:
    return PortCounters(
        neighbour=port.neighbour,
        rx_packets=port.rx_packets - base.rx_packets,
        tx_packets=port.tx_packets - base.tx_packets,
        rx_bytes=port.rx_bytes - base.rx_bytes,
        tx_bytes=port.tx_bytes - base.tx_bytes,
        rx_dropped=0,
        tx_dropped=0,
    )


def _pair_minus(pair: OdCounters, base: OdCounters) -> OdCounters:
    return OdCounters(pair.src, pair.dst, pair.packets - base.packets, pair.bytes - base.bytes)

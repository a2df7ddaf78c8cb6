"""Every core link, each way, probed with timed frames: its delay, its cabling, its silence.

The controller sends a frame out of a port by packet-out, and the switch at the far end hands it
back by packet-in. What that takes, less half of an echo round trip of each of the two switches, is
the link's delay. All instants are taken by one clock. A packet-in costs more than an echo, so the
delay is too long rather than too short; docs/northbound.md says by how much.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from controller.lldp import TOKEN_BYTES, probe_frame, token_of
from controller.messages import Discovery, LinkDelay, LinkDelays, LinkSilence, Message, Miscabled
from topologies.addressing import Addressing
from topologies.model import DirectedLink, Topology

_logger = logging.getLogger(__name__)

SILENCE_S = 3.0
"""How long nothing may come over a link before it is suspected."""


@dataclass
class _Link:
    """One direction of one link."""

    watched_since_s: float | None = None
    """Since when it is probed without a break."""
    heard_s: float = 0.0
    """When anything has last come over it."""
    delay: LinkDelay | None = None
    """What was measured since the last turn."""
    silent: bool = False


class LinkProbes:
    """The probes of one network.

    Args:
        topology: the network.
        addressing: its numbers.
        publish: takes what is found.
        channel_s: the least echo round trip of a switch; None while there is none.
    """

    def __init__(
        self,
        topology: Topology,
        addressing: Addressing,
        publish: Callable[[Message], None],
        channel_s: Callable[[str], float | None],
    ) -> None:
        self._addressing = addressing
        self._publish = publish
        self._channel_s = channel_s
        self._links = {direction: _Link() for direction in topology.core_directions}
        self._under_way: dict[bytes, tuple[DirectedLink, float]] = {}
        """By token: the port (switch, neighbour) that a probe left by, and when."""
        self._far: dict[DirectedLink, DirectedLink] = {}
        """By the port that probes leave by: the one where they arrive."""
        self._received: dict[DirectedLink, int] = {}
        self.discovery: Discovery | None = None
        """What was told last of the cabling."""

    def turn(
        self, switch: str, usable: Callable[[DirectedLink], bool], now_s: float
    ) -> list[tuple[int, bytes]]:
        """Tell what the last turn of `switch` has measured; return the frames of the next, by port.

        `usable` says whether both ends of a link answer and see it up. A link that is not is not
        probed, and nothing is suspected of it.
        """
        links = {d: link for d, link in self._links.items() if d[0] == switch}
        self._tell_delays(switch, links, now_s)
        late = [t for t, (_, sent_s) in self._under_way.items() if now_s - sent_s > SILENCE_S]
        for token in late:
            del self._under_way[token]
        frames = []
        for direction, link in links.items():
            if not usable(direction):
                link.watched_since_s = None
                self._suspect(direction, silent=False, now_s=now_s)
                continue
            if link.watched_since_s is None:
                link.watched_since_s = now_s
            quiet_s = now_s - max(link.heard_s, link.watched_since_s)
            self._suspect(direction, silent=quiet_s > SILENCE_S, now_s=now_s)
            token = secrets.token_bytes(TOKEN_BYTES)
            self._under_way[token] = direction, now_s
            port = self._addressing.port[direction]
            frames.append((port, probe_frame(self._addressing.datapath_id[switch], port, token)))
        return frames

    def arrived(self, switch: str, port: int, frame: bytes, now_s: float) -> None:
        """A frame came in by `port` of `switch`; one that is no probe of ours changes nothing."""
        token = token_of(frame)
        neighbour = self._addressing.neighbour.get((switch, port))
        if token not in self._under_way or neighbour is None:
            return
        direction, sent_s = self._under_way.pop(token)
        self._locate(direction, (switch, neighbour), now_s)
        if direction == (neighbour, switch):
            self._hear(direction, now_s)
            self._links[direction].delay = self._delay(direction, now_s - sent_s)

    def counted(self, switch: str, neighbour: str, rx_packets: int, now_s: float) -> None:
        """So many packets have come to `switch` from `neighbour`: more, and it is not silent.

        A link whose queue is full may lose probe after probe.
        """
        direction = (neighbour, switch)
        if direction in self._links and rx_packets > self._received.get(direction, rx_packets):
            self._hear(direction, now_s)
        self._received[direction] = rx_packets

    def snapshot(self, now_s: float) -> Iterator[Message]:
        """What a new subscriber has to know."""
        if self.discovery:
            yield self.discovery
        for direction, link in self._links.items():
            if link.silent:
                yield _silence(direction, silent=True, now_s=now_s)

    def _tell_delays(self, switch: str, links: Mapping[DirectedLink, _Link], now_s: float) -> None:
        measured = []
        for (_, neighbour), link in links.items():
            if link.watched_since_s is not None:
                measured.append(link.delay or LinkDelay(neighbour, None, None))
                link.delay = None
        if measured:
            self._publish(LinkDelays(t_s=now_s, datapath=switch, links=tuple(measured)))

    def _hear(self, direction: DirectedLink, now_s: float) -> None:
        self._links[direction].heard_s = now_s
        self._suspect(direction, silent=False, now_s=now_s)

    def _suspect(self, direction: DirectedLink, *, silent: bool, now_s: float) -> None:
        link = self._links[direction]
        if silent != link.silent:
            link.silent = silent
            self._publish(_silence(direction, silent=silent, now_s=now_s))

    def _delay(self, direction: DirectedLink, took_s: float) -> LinkDelay | None:
        sender_s, receiver_s = (self._channel_s(switch) for switch in direction)
        if sender_s is None or receiver_s is None:
            return None
        channels_s = (sender_s + receiver_s) / 2
        return LinkDelay(direction[1], max(0.0, took_s - channels_s) * 1e3, channels_s * 1e3)

    def _locate(self, direction: DirectedLink, far: DirectedLink, now_s: float) -> None:
        """Compare where a probe has arrived with the configuration, and tell what is new."""
        if self._far.get(direction) == far:
            return
        self._far[direction] = far
        wrong = tuple(
            Miscabled(*leaves, *arrives)
            for leaves, arrives in self._far.items()
            if arrives != leaves[::-1]
        )
        before = self.discovery.miscabled if self.discovery else ()
        if wrong != before or len(self._far) == len(self._links):
            self.discovery = Discovery(
                t_s=now_s,
                links=len(self._links),
                as_configured=len(self._far) - len(wrong),
                miscabled=wrong,
            )
            self._publish(self.discovery)
            for one in set(wrong) - set(before):
                _logger.warning(
                    "miscabled: frames of %s to %s arrive at %s, by its port to %s",
                    *msgspec.structs.astuple(one),
                )


def _silence(direction: DirectedLink, *, silent: bool, now_s: float) -> LinkSilence:
    return LinkSilence(t_s=now_s, datapath=direction[0], neighbour=direction[1], silent=silent)

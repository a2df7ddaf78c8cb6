"""ARP frames under a false name: refused, counted, and reported at a bearable pace."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from controller.arp import arp_answer, forged_claim
from controller.messages import SpoofedArp
from topologies.addressing import Addressing

REPORT_EVERY_S = 1.0
"""At most, of one host; the count tells what came in between."""


class ArpResponder:
    """Answers the hosts' ARP requests, except forged ones, which it has reported."""

    def __init__(
        self,
        addressing: Addressing,
        report: Callable[[SpoofedArp], None],
        clock: Callable[[], float],
    ) -> None:
        self._addressing = addressing
        self._report = report
        self._clock = clock
        self._refused: Counter[str] = Counter()
        self._reported_s: dict[str, float] = {}

    def answer(self, host: str, frame: bytes) -> bytes | None:
        """The reply to an ARP frame that came in at the port of `host`, if one is due."""
        claim = forged_claim(self._addressing, host, frame)
        if claim is None:
            return arp_answer(self._addressing, host, frame)
        self._refused[host] += 1
        now_s = self._clock()
        if now_s - self._reported_s.get(host, -REPORT_EVERY_S) >= REPORT_EVERY_S:
            self._reported_s[host] = now_s
            refused = self._refused[host]
            self._report(
                SpoofedArp(t_s=now_s, host=host, mac=claim.mac, ipv4=claim.ipv4, refused=refused)
            )
        return None

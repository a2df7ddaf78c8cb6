"""How long this machine takes to wake a process up, learnt from its timers.

A frame that ends our sleep has waited for us as long as that, and a timer has to be set so much
earlier than the instant that it is for. It takes a processor longer (30 to 130 us were measured)
the longer it has been idle.
"""

from __future__ import annotations

_FIRST_GUESS_NS = 50_000
_STEP_NS = 2_000
_MOST_NS = 300_000


class WakeUp:
    """The median time from a timer's instant to our running, by the length of the sleep.

    Each sample moves it by one step towards itself, so that a busy machine's outliers weigh no
    more than others.
    """

    __slots__ = ("_latency_ns",)

    def __init__(self) -> None:
        self._latency_ns = [_FIRST_GUESS_NS] * 64
        """By the number of binary digits of the sleep in nanoseconds."""

    def latency_ns(self, sleep_ns: int) -> int:
        """How long waking up takes after such a sleep."""
        return self._latency_ns[sleep_ns.bit_length()]

    def learn(self, sleep_ns: int, took_ns: int) -> None:
        """Waking up took so long after such a sleep."""
        length = sleep_ns.bit_length()
        known_ns = self._latency_ns[length]
        step_ns = _STEP_NS if took_ns > known_ns else -_STEP_NS
        self._latency_ns[length] = min(max(known_ns + step_ns, 0), _MOST_NS)

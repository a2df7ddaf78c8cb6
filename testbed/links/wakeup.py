"""How long this machine takes to wake a process up, learnt from its timers.

A frame that ends our sleep has waited for us as long as that, and a timer has to be set so much
earlier than the instant that it is for. It takes a processor longer (30 to 130 us were measured)
the longer it has been idle.
"""

from __future__ import annotations

_FIRST_GUESS_NS = 50_000
_FIRST_STEP_NS = 32_000
_LAST_STEP_NS = 2_000
_MOST_NS = 300_000
_LATE_ONE_IN = 10
_LENGTHS = 64
"""Of a sleep, by the number of binary digits of its nanoseconds."""


class WakeUp:
    """The time from a timer's instant to our running, by the length of the sleep.

    Each sample moves a quantile by one step towards itself, so that a busy machine's outliers weigh
    no more than others. The first steps are longer (Robbins and Monro, 1951).
    """

    __slots__ = ("_allowance_ns", "_latency_ns", "_samples")

    def __init__(self) -> None:
        self._latency_ns = [_FIRST_GUESS_NS] * _LENGTHS
        self._allowance_ns = [_FIRST_GUESS_NS] * _LENGTHS
        self._samples = [0] * _LENGTHS

    def latency_ns(self, sleep_ns: int) -> int:
        """How long waking up takes after such a sleep: the median."""
        return self._latency_ns[sleep_ns.bit_length()]

    def allowance_ns(self, sleep_ns: int) -> int:
        """How much earlier to wake up after such a sleep, to be late one time in ten."""
        return self._allowance_ns[sleep_ns.bit_length()]

    def learn(self, sleep_ns: int, took_ns: int) -> None:
        """Waking up took so long after such a sleep."""
        length = sleep_ns.bit_length()
        self._samples[length] += 1
        step_ns = max(_FIRST_STEP_NS // self._samples[length], _LAST_STEP_NS)
        for known, up, down in (
            (self._latency_ns, step_ns, step_ns),
            (self._allowance_ns, step_ns, step_ns // (_LATE_ONE_IN - 1)),
        ):
            aim_ns = known[length] + (up if took_ns > known[length] else -down)
            known[length] = min(max(aim_ns, 0), _MOST_NS)

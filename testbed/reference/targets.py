"""What links must reach, and whether measured ones do."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from testbed.reference.capacity import Carried
from testbed.reference.delay import DelayError
from testbed.reference.loss import Lost
from testbed.reference.measuring import Figures
from testbed.reference.queueing import Waited
from testbed.reference.rate import Goodput, Overloaded
from testbed.reference.start import Started

_SIGMAS = 3.0


class Target(msgspec.Struct, frozen=True):
    """A figure that was measured, and what it must be."""

    name: str
    target: str
    measured: float | None
    """None: it could not be measured, so the target is not met."""
    unit: str
    met: bool


def at_most(name: str, bound: float, measured: float | None, unit: str = "") -> Target:
    """The figure must not exceed the bound."""
    met = measured is not None and measured <= bound
    return Target(name, f"<= {bound:,.10g}", measured, unit, met)


def at_least(name: str, bound: float, measured: float | None, unit: str = "") -> Target:
    """The figure must reach the bound."""
    met = measured is not None and measured >= bound
    return Target(name, f">= {bound:,.10g}", measured, unit, met)


def between(name: str, low: float, high: float, measured: float | None, unit: str = "") -> Target:
    """The figure must lie within the bounds."""
    met = measured is not None and low <= measured <= high
    return Target(name, f"{low:.4g} to {high:.4g}", measured, unit, met)


def targets_of(figures: Figures) -> list[Target]:
    """The targets that a measured figure belongs to."""
    match figures:
        case DelayError():
            return list(_delay(figures))
        case Goodput(rate_mbps=rate):
            return [between(f"TCP goodput at {rate:g} Mbit/s", 93, 97, figures.percent, "%")]
        case Overloaded():
            return list(_overload(figures))
        case Waited():
            return list(_queueing(figures))
        case Lost():
            return list(_loss(figures))
        case Carried(frames_per_s=frames_per_s):
            return [at_least("frames through all links", 60_000, frames_per_s, "frames/s")]
        case Started(links=links):
            return [at_most(f"starting {links} links", 0.5, figures.seconds, "s")]


def _delay(figures: DelayError) -> Iterator[Target]:
    loaded = figures.load_mbps > 0
    state = f"at {figures.load_mbps:g} Mbit/s" if loaded else "idle"
    name = f"RTT error over {figures.delay_ms:g} ms, {state}"
    yield at_most(f"{name}, mean", 0.3 if loaded else 0.2, abs(figures.mean_ms), "ms")
    yield at_most(f"{name}, p99", 1.0 if loaded else 0.5, figures.p99_ms, "ms")


def _overload(figures: Overloaded) -> Iterator[Target]:
    name = f"UDP above {figures.rate_mbps:g} Mbit/s"
    yield between(f"{name}: received, of the rate", 99, 101, figures.percent, "%")
    lost = figures.unaccounted_frames
    missing = None if lost is None else float(abs(lost))
    yield at_most(f"{name}: neither received nor counted as dropped", 0, missing, "frames")


def _queueing(figures: Waited) -> Iterator[Target]:
    limit, name = figures.queue_packets, "ping on another link meanwhile"
    wait = f"wait in a full queue of {limit} packets"
    low, high = 0.95 * figures.expected_ms, 1.05 * figures.expected_ms
    yield between(wait, low, high, figures.measured_ms, "ms")
    arrived = 100 * figures.unrelated_received / figures.unrelated_sent
    yield at_least(f"{name}: arrived", 100, arrived, "%")
    yield at_most(f"{name}: mean error", 0.5, abs(figures.unrelated_error_ms), "ms")


def _loss(figures: Lost) -> Iterator[Target]:
    configured = figures.loss_percent
    if figures.burst_packets is None:
        share = configured / 100
        margin = 100 * _SIGMAS * math.sqrt(share * (1 - share) / figures.sent)
        lost = 100 * figures.lost / figures.sent
        yield between(
            f"loss of {configured:g} %", configured - margin, configured + margin, lost, "%"
        )
        return
    mean = figures.burst_packets
    # The lengths of Gilbert's bursts are geometric.
    bursts = figures.sent * configured / 100 / mean
    margin = _SIGMAS * math.sqrt(mean * (mean - 1) / bursts)
    name = f"bursts of {mean:g} packets at a loss of {configured:g} %"
    measured = figures.mean_burst_packets
    yield between(f"{name}: mean length", mean - margin, mean + margin, measured, "packets")

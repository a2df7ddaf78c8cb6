"""How far the fidelity of a run may be off before its figures are doubtful, or useless.

The defaults come from runs on two processors with the userspace backend, the least that the
project is meant for: what such a run reaches at 85 to 95 % of the processors passes with a margin.
"""

from __future__ import annotations

import msgspec


class Bound(msgspec.Struct, frozen=True):
    """The most that a measure may reach: beyond `degraded` is doubt, beyond `invalid` no result."""

    degraded: float
    invalid: float


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """A bound for every measure. A playbook may tighten them."""

    idle_link_error_ms: Bound = Bound(0.5, 2.0)
    """Any link, median of 10 frames against its delay and transmission time. An idle machine stays
    below 0.4 ms; 2 ms are a wrong delay, or a machine that is not idle."""
    idle_path_error_ms: Bound = Bound(5.0, 20.0)
    """Any OD pair. Every switch on the way adds up to 0.4 ms: eight links stay below 3 ms."""
    lateness_p99_ms: Bound = Bound(1.0, 2.0)
    """How late the link daemon released frames: 99th percentile of the median second. Idle 0.2 ms,
    a loaded lab 0.3 to 0.6 ms. It adds up over the links of a path."""
    late_on_end_s: Bound = Bound(1.0, 2.0)
    """Seconds in a row with a 99th percentile over 20 ms: more would be seen in p95."""
    saturated_on_end_s: Bound = Bound(2.0, 3.0)
    """Seconds in a row with all processors over 97 % busy: processes then wait for each other, and
    packets in queues that no link has been given. Good runs are at 85 to 95 %."""
    switch_wait_percent: Bound = Bound(60.0, 80.0)
    """How much of the median second ovs-vswitchd was ready to run and had no processor. A small lab
    has 10 %, a loaded one 25 to 45 %."""
    step_lateness_ms: Bound = Bound(50.0, 500.0)
    """Any step of the timeline. Metrics count from its true instant, so only the course of the
    run differs; a command of Open vSwitch takes 10 to 30 ms."""
    probe_lateness_p99_ms: Bound = Bound(5.0, 20.0)
    """A probe packet sent late looks like an outage that is longer by as much. A small lab stays
    below 1 ms, a loaded one at 2 to 5 ms."""
    traffic_lateness_p99_ms: Bound = Bound(500.0, 2000.0)
    """Clients of the replay are started a second before they are due, as far as the machine can:
    with a thousand in 40 s one in a hundred is 0.3 to 0.5 s late. Steps last 5 s."""
    unsent_percent: Bound = Bound(2.0, 5.0)
    """Of the traffic that was asked of the senders, what they did not send."""

"""What the supervisor and the link daemon say: one message a packet, each answered by number."""

from __future__ import annotations

import msgspec

from testbed.links.backend import LinkCondition
from testbed.records import LinkCounters
from topologies.model import LinkShape

MAX_MESSAGE_BYTES = 1 << 20


class LinkSpec(msgspec.Struct, frozen=True):
    """A link to be made: the names of its two TAP interfaces, and what it does to frames."""

    a: str
    b: str
    shape: LinkShape


class Create(msgspec.Struct, frozen=True, tag="create"):
    """Make these links; they are numbered from 0 in the order of all creations."""

    links: tuple[LinkSpec, ...]
    at_s: float = 0.0


class Reshape(msgspec.Struct, frozen=True, tag="reshape"):
    """Change what a link does to frames, both directions."""

    link: int
    shape: LinkShape
    at_s: float = 0.0


class SetCondition(msgspec.Struct, frozen=True, tag="condition"):
    """Make links fail, or mend them, all at once."""

    links: tuple[tuple[int, LinkCondition], ...]
    at_s: float = 0.0


class Inspect(msgspec.Struct, frozen=True, tag="inspect"):
    """Ask for the lateness since the last time."""

    at_s: float = 0.0


class Count(msgspec.Struct, frozen=True, tag="count"):
    """Ask for the counters since the start."""

    at_s: float = 0.0


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The request is in force since `t_s` (CLOCK_MONOTONIC)."""

    t_s: float


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The request could not be carried out."""

    reason: str


class Inspected(msgspec.Struct, frozen=True, tag="inspected"):
    """Answer to `Inspect`."""

    lateness_p99_ms: float


class Counted(msgspec.Struct, frozen=True, tag="counted"):
    """Answer to `Count`: a to b, then b to a, link by link."""

    counters: tuple[LinkCounters, ...]


Request = Create | Reshape | SetCondition | Inspect | Count
"""To be carried out at its `at_s` (CLOCK_MONOTONIC), or at once if that has passed."""
Answer = Done | Failed | Inspected | Counted


class Asked(msgspec.Struct, frozen=True):
    """A request under a number."""

    number: int
    request: Request


class Answered(msgspec.Struct, frozen=True):
    """The answer to the request of that number."""

    number: int
    answer: Answer

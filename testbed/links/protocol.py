"""What the supervisor and the link daemon say: one message a packet, each answered."""

from __future__ import annotations

import msgspec

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


class Reshape(msgspec.Struct, frozen=True, tag="reshape"):
    """Change rate, delay, jitter, loss and queue of a link, both directions."""

    link: int
    shape: LinkShape


class Carrier(msgspec.Struct, frozen=True, tag="carrier"):
    """Take carrier away from both ends of a link, or give it back."""

    link: int
    up: bool


class Inspect(msgspec.Struct, frozen=True, tag="inspect"):
    """Ask for the lateness since the last time and the counters since the start."""


class Done(msgspec.Struct, frozen=True, tag="done"):
    """The request is in force since `t_s` (CLOCK_MONOTONIC)."""

    t_s: float


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The request could not be carried out."""

    reason: str


class ChannelCounters(msgspec.Struct, frozen=True):
    """Frames of one direction since the start."""

    received: int
    dropped_by_queue: int
    dropped_by_loss: int
    dropped_by_fault: int


class Inspection(msgspec.Struct, frozen=True, tag="inspection"):
    """Answer to `Inspect`; counters are a to b, then b to a, link by link."""

    lateness_p99_ms: float
    frames: int
    counters: tuple[ChannelCounters, ...]


Request = Create | Reshape | Carrier | Inspect
Answer = Done | Failed | Inspection

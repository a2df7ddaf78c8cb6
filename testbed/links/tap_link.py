"""A link as the daemon holds it: two TAP ends, and a channel in each direction."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

from testbed.links import tap
from testbed.links.backend import LinkCondition
from testbed.links.channel import Channel
from testbed.links.priority_channel import PriorityChannel
from testbed.links.protocol import LinkSpec

_CARD_FAILURES = {
    errno.EIO: "the interface is down",
    errno.EBADFD: "the interface is gone, with its host",
    errno.EAGAIN: "its host takes no more frames for now",
    errno.ENOBUFS: "its host has no memory for the frame",
    errno.ENOMEM: "its host has no memory for the frame",
}
"""What a network card may suffer too, and so loses a frame without ending the lab; see the
kernel's drivers/net/tun.c."""


@dataclass(slots=True, eq=False)
class Direction:
    """Frames read from `source_fd` leave at `target_fd`, as `channel` says."""

    source_fd: int
    target_fd: int
    target_name: str
    channel: Channel
    held: int = 0
    """Frames of it that wait until they are due: no later one may go before them."""

    def deliver(self, frame: bytes) -> None:
        """Let a frame out at the far end; that it is not taken is a fault of that end.

        Raises:
            OSError: an error that no network card could have.
        """
        try:
            os.write(self.target_fd, frame)
        except OSError as error:
            if error.errno not in _CARD_FAILURES:
                why = f"cannot write a frame: {error.strerror}"
                raise OSError(error.errno, why, self.target_name) from error
            self.channel.dropped_by_fault += 1
        else:
            self.channel.sent += 1


class TapLink:
    """A link."""

    def __init__(self, spec: LinkSpec, seed: int) -> None:
        """Make the two interfaces and bring them up.

        Raises:
            OSError: it failed; the error names the interface.
        """
        self._fds = (tap.create_tap(spec.a), tap.create_tap(spec.b))
        self._carrier = (True, True)
        kind = PriorityChannel if spec.shape.queueing == "priority" else Channel
        there, back = kind(spec.shape, seed), kind(spec.shape, seed + 1)
        self.directions = (
            Direction(self._fds[0], self._fds[1], spec.b, there),
            Direction(self._fds[1], self._fds[0], spec.a, back),
        )

    def set_passing(self, condition: LinkCondition) -> None:
        """Let frames through, or not, without telling the ends."""
        for direction, passes in zip(self.directions, condition.passes, strict=True):
            if passes and all(condition.carrier):
                direction.channel.mend()
            else:
                direction.channel.fail()

    def set_carrier(self, condition: LinkCondition) -> None:
        """Give the ends carrier, or take it away; see `tap.set_carrier`."""
        for fd, before, after in zip(self._fds, self._carrier, condition.carrier, strict=True):
            if after != before:
                tap.set_carrier(fd, after)
        self._carrier = condition.carrier

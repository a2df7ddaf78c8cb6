"""The link daemon: one process that owns both TAP ends of every link of the lab, and is the link.

Started by `userspace.py` with its control socket as standard input. Frames are read from one TAP,
admitted by the direction's `Channel`, and written to the other TAP when they are due. It ends
when the control socket closes.
"""

from __future__ import annotations

import heapq
import os
import select
import socket
import time
from bisect import bisect_left
from dataclasses import dataclass
from itertools import count

import msgspec

from testbed.links import tap
from testbed.links.channel import Channel
from testbed.links.load import Load
from testbed.links.protocol import (
    MAX_MESSAGE_BYTES,
    Answer,
    Carrier,
    ChannelCounters,
    Create,
    Done,
    Failed,
    Inspect,
    Inspection,
    LinkSpec,
    Request,
    Reshape,
)
from testbed.links.timer import Timer, forbid_timer_slack

_CONTROL_FD = 0
_FRAME_BYTES = 65536
_READS_PER_TURN = 64
_LATENESS_STEPS_MS = tuple(0.02 * 1.3**step for step in range(40))
_FIFO_PRIORITY = 10
_NICE = -15


@dataclass(frozen=True)
class _Direction:
    """Frames read from `source_fd` leave at `target_fd`, as `channel` says."""

    source_fd: int
    target_fd: int
    channel: Channel


class _Lateness:
    """A histogram of how late frames were released, in geometric steps."""

    def __init__(self) -> None:
        self.counts = [0] * (len(_LATENESS_STEPS_MS) + 1)

    def add(self, late_ns: int) -> None:
        self.counts[bisect_left(_LATENESS_STEPS_MS, late_ns / 1e6)] += 1

    def take_p99_ms(self) -> float:
        """The 99th percentile since the last call (the upper edge of its step)."""
        total, seen = sum(self.counts), 0
        percentile = 0.0
        for step, number in enumerate(self.counts):
            seen += number
            if total and seen >= 0.99 * total:
                percentile = _LATENESS_STEPS_MS[min(step, len(_LATENESS_STEPS_MS) - 1)]
                break
        self.counts = [0] * len(self.counts)
        return percentile


class LinkDaemon:
    """The event loop: TAPs, timer and control socket."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._requests = msgspec.json.Decoder(Request)
        self._answers = msgspec.json.Encoder()
        self._timer = Timer()
        self._epoll = select.epoll()
        self._epoll.register(control.fileno(), select.EPOLLIN)
        self._epoll.register(self._timer.fileno(), select.EPOLLIN)
        self._directions: list[_Direction] = []
        self._by_source: dict[int, _Direction] = {}
        self._in_flight: list[tuple[int, int, int, bytes]] = []
        self._sequence = count()
        self._armed_ns = 0
        self._lateness = _Lateness()
        self._load = Load()

    def run(self) -> None:
        """Carry frames until the control socket closes.

        Under load it looks no more often than every `_TURN_NS`: what it takes in then has arrived
        half of the wait ago on average, and what is due within half a turn goes at once, so that
        delays are right in the mean.
        """
        control_fd, timer_fd = self._control.fileno(), self._timer.fileno()
        while True:
            waited_ns = self._load.wait_out_turn()
            for fd, events in self._epoll.poll():
                if fd == timer_fd:
                    self._timer.acknowledge()
                    self._armed_ns = 0
                elif fd == control_fd:
                    if not self._serve():
                        return
                elif events & select.EPOLLERR:
                    self._epoll.unregister(fd)  # its interface is gone with its namespace
                else:
                    self._receive(self._by_source[fd], waited_ns // 2)
            self._load.begin_turn()
            self._release(self._load.early_ns)

    def _receive(self, direction: _Direction, age_ns: int) -> None:
        """Take the waiting frames of one TAP, which arrived `age_ns` ago on average."""
        source, target = direction.source_fd, direction.target_fd
        arrival_ns = time.monotonic_ns() - age_ns
        for _ in range(_READS_PER_TURN):
            try:
                frame = os.read(source, _FRAME_BYTES)
            except BlockingIOError:
                return
            self._load.frames += 1
            due_ns = direction.channel.admit(arrival_ns, len(frame))
            if due_ns is not None:
                heapq.heappush(self._in_flight, (due_ns, next(self._sequence), target, frame))

    def _release(self, early_ns: int) -> None:
        """Write every frame that is due, and set the timer to the next one."""
        in_flight = self._in_flight
        while in_flight:
            now_ns = time.monotonic_ns()
            due_ns = in_flight[0][0]
            if due_ns > now_ns + early_ns:
                if due_ns != self._armed_ns:
                    self._timer.arm(due_ns)
                    self._armed_ns = due_ns
                return
            _, _, target, frame = heapq.heappop(in_flight)
            self._lateness.add(now_ns - due_ns)
            try:
                os.write(target, frame)
            except OSError:
                # EIO: the far interface is down, so the frame is lost, as on a cut wire.
                continue

    def _serve(self) -> bool:
        """Answer one request; False when the supervisor has gone."""
        message = self._control.recv(MAX_MESSAGE_BYTES)
        if not message:
            return False
        try:
            answer = self._carry_out(self._requests.decode(message))
        except (OSError, msgspec.DecodeError, IndexError) as error:
            answer = Failed(str(error))
        self._control.send(self._answers.encode(answer))
        return True

    def _carry_out(self, request: Request) -> Answer:
        match request:
            case Create(links=links):
                for spec in links:
                    self._create(spec)
            case Reshape(link=link, shape=shape):
                for direction in self._both(link):
                    direction.channel.reshape(shape)
            case Carrier(link=link, up=up):
                for direction in self._both(link):
                    direction.channel.up = up
                    tap.set_carrier(direction.source_fd, up)
            case Inspect():
                return self._inspect()
        return Done(time.monotonic())

    def _create(self, spec: LinkSpec) -> None:
        fds = []
        for interface in (spec.a, spec.b):
            fds.append(tap.create_tap(interface))
            tap.bring_up(interface)
        for source, target in (fds, fds[::-1]):
            channel = Channel(spec.shape, seed=len(self._directions))
            direction = _Direction(source, target, channel)
            self._directions.append(direction)
            self._by_source[source] = direction
            self._epoll.register(source, select.EPOLLIN)

    def _both(self, link: int) -> tuple[_Direction, _Direction]:
        return self._directions[2 * link], self._directions[2 * link + 1]

    def _inspect(self) -> Inspection:
        channels = [direction.channel for direction in self._directions]
        return Inspection(
            lateness_p99_ms=self._lateness.take_p99_ms(),
            frames=sum(channel.received for channel in channels),
            counters=tuple(
                ChannelCounters(
                    channel.received,
                    channel.dropped_by_queue,
                    channel.dropped_by_loss,
                    channel.dropped_by_fault,
                )
                for channel in channels
            ),
        )


def _prefer() -> None:
    """Run before others where we may: a link that is late is a wrong link."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_FIFO_PRIORITY))
    except PermissionError:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, _NICE)
        except PermissionError:
            return  # a user namespace: the fidelity guard watches our lateness instead


def main() -> None:
    """Serve the control socket on standard input."""
    forbid_timer_slack()
    _prefer()
    with socket.socket(fileno=os.dup(_CONTROL_FD)) as control:
        LinkDaemon(control).run()


if __name__ == "__main__":
    main()

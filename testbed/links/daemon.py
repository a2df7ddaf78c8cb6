"""The link daemon: one process that owns both TAP ends of every link of the lab, and is the link.

Started by `userspace.py` with its control socket as standard input. Frames are read from one TAP,
admitted by the direction's `Channel`, and written to the other TAP when they are due. It ends
when the control socket closes.
"""

from __future__ import annotations

import errno
import heapq
import os
import select
import socket
import sys
import time
from itertools import count

import msgspec

from testbed.links.channel import LOOK_AGAIN, Arrivals
from testbed.links.lateness import Lateness
from testbed.links.load import TURN_NS, Load
from testbed.links.protocol import (
    MAX_MESSAGE_BYTES,
    Answer,
    Answered,
    Asked,
    Count,
    Counted,
    Create,
    Done,
    Failed,
    Inspect,
    Inspected,
    LinkSpec,
    Request,
    Reshape,
    SetCondition,
)
from testbed.links.tap_link import Direction, TapLink
from testbed.links.timer import Timer, forbid_timer_slack
from testbed.links.wakeup import WakeUp

_CONTROL_FD = 0
_FRAME_BYTES = 65536
"""More than any TAP can hold; a smaller buffer would save no time."""
_READS_PER_TURN = 64
_EARLY_NS = 5_000
"""A frame due this soon goes at once: writing it takes as long."""
_SPIN_NS = 20_000
"""What is due this soon, besides the time of waking up, is not slept for."""
_NS_PER_S = 1_000_000_000
_FIFO_PRIORITY = 10
_NICE = -15


class LinkDaemon:
    """The event loop: TAPs, timer and control socket."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._requests = msgspec.json.Decoder(Asked)
        self._timer = Timer()
        self._armed_ns = 0
        self._epoll = select.epoll()
        self._epoll.register(control.fileno(), select.EPOLLIN)
        self._epoll.register(self._timer.fileno(), select.EPOLLIN)
        self._links: list[TapLink] = []
        self._by_source: dict[int, Direction] = {}
        self._sequence = count()
        self._in_flight: list[tuple[int, int, Direction, bytes]] = []
        self._agenda: list[tuple[int, int, Asked]] = []
        self._lateness = Lateness()
        self._wake_up = WakeUp()
        self._load = Load(self._wake_up)

    def run(self) -> None:
        """Carry frames until the control socket closes."""
        open_ = True
        while open_:
            open_ = self._take_turn() if self._load.is_busy else self._wait_for_event()

    def _take_turn(self) -> bool:
        """Under load: what has come since the last turn came half of that ago, on average, and
        what is due within half a turn goes at once, so that delays are right in the mean.
        """
        age_ns = self._load.wait_out_turn() // 2
        arrival_ns = time.monotonic_ns() - age_ns
        # Most TAPs hold one frame. To find that out by a second read would cost more than it.
        open_ = self._handle(self._epoll.poll(0), arrival_ns, TURN_NS // 2, most_reads=1)
        if open_:
            open_ = self._handle(self._epoll.poll(0), arrival_ns, TURN_NS // 2)
        self._keep_agenda()
        self._release(TURN_NS // 2)
        return open_

    def _wait_for_event(self) -> bool:
        """With few frames: each at its instant, to some microseconds."""
        timeout_s = self._set_timer()
        asleep_ns = time.monotonic_ns()
        events = self._epoll.poll(timeout_s)
        woken_ns = time.monotonic_ns()
        slept_ns = woken_ns - asleep_ns
        # What ended our sleep happened before we ran.
        arrival_ns = max(asleep_ns, woken_ns - self._wake_up.latency_ns(slept_ns))
        if self._armed_ns > asleep_ns and (self._timer.fileno(), select.EPOLLIN) in events:
            self._wake_up.learn(slept_ns, woken_ns - self._armed_ns)
        open_ = self._handle(events, arrival_ns, _EARLY_NS)
        self._keep_agenda()
        self._release(_EARLY_NS)
        self._load.begin_turn()
        return open_

    def _set_timer(self) -> float | None:
        """Set the timer to what comes next; return how long to wait in seconds (None: for it)."""
        if not self._in_flight and not self._agenda:
            return None
        next_ns = min(heap[0][0] for heap in (self._in_flight, self._agenda) if heap)
        now_ns = time.monotonic_ns()
        wake_ns = next_ns - self._wake_up.allowance_ns(next_ns - now_ns)
        if wake_ns < now_ns + _SPIN_NS:
            return 0.0
        if wake_ns != self._armed_ns:
            self._timer.arm(wake_ns)
            self._armed_ns = wake_ns
        return None

    def _handle(
        self,
        events: list[tuple[int, int]],
        arrival_ns: int,
        early_ns: int,
        most_reads: int = _READS_PER_TURN,
    ) -> bool:
        """Take in what has come; False when the supervisor has gone."""
        open_ = True
        for fd, event in events:
            if fd in self._by_source:
                self._receive(self._by_source[fd], event, arrival_ns, early_ns, most_reads)
            elif fd == self._timer.fileno():
                self._timer.acknowledge()
                self._armed_ns = 0
            else:
                open_ = self._listen()
        return open_

    def _receive(
        self, direction: Direction, event: int, arrival_ns: int, early_ns: int, most_reads: int
    ) -> None:
        """Take the waiting frames of one TAP; what is due already need not be held at all."""
        source, admit = direction.source_fd, direction.channel.admit
        if event & select.EPOLLERR:
            self._epoll.unregister(source)  # the interface is gone with its namespace
            return
        now_ns = time.monotonic_ns()
        at_once_ns = now_ns + early_ns
        reads = 0
        try:
            while reads < most_reads:
                frame = os.read(source, _FRAME_BYTES)
                reads += 1
                for due_ns, arriving in admit(arrival_ns, frame):
                    if due_ns <= at_once_ns and not direction.held and arriving is not LOOK_AGAIN:
                        self._lateness.add(now_ns - due_ns)
                        direction.deliver(arriving)
                    else:
                        self._hold(due_ns, direction, arriving)
        except BlockingIOError:
            pass  # all taken
        except OSError as error:
            if error.errno != errno.EBADFD:  # gone, as epoll will say
                raise
        self._load.frames += reads

    def _hold(self, due_ns: int, direction: Direction, frame: bytes) -> None:
        """Keep a frame, or `LOOK_AGAIN`, until it is due."""
        heapq.heappush(self._in_flight, (due_ns, next(self._sequence), direction, frame))
        direction.held += 1

    def _hold_all(self, direction: Direction, arrivals: Arrivals) -> None:
        for due_ns, frame in arrivals:
            self._hold(due_ns, direction, frame)

    def _release(self, early_ns: int) -> None:
        """Write every frame that is due."""
        in_flight = self._in_flight
        while in_flight:
            now_ns = time.monotonic_ns()
            due_ns = in_flight[0][0]
            if due_ns > now_ns + early_ns:
                break
            _, _, direction, frame = heapq.heappop(in_flight)
            direction.held -= 1
            if frame is LOOK_AGAIN:
                self._hold_all(direction, direction.channel.proceed(due_ns))
            else:
                self._lateness.add(now_ns - due_ns)
                direction.deliver(frame)

    def _listen(self) -> bool:
        """Put a request on the agenda; False when the supervisor has gone."""
        message = self._control.recv(MAX_MESSAGE_BYTES)
        if not message:
            return False
        asked = self._requests.decode(message)
        at_ns = round(asked.request.at_s * _NS_PER_S)
        heapq.heappush(self._agenda, (at_ns, next(self._sequence), asked))
        return True

    def _keep_agenda(self) -> None:
        """Carry out the requests whose instant has come, and answer them."""
        while self._agenda and self._agenda[0][0] <= time.monotonic_ns():
            _, _, asked = heapq.heappop(self._agenda)
            try:
                answer = self._carry_out(asked.request)
            except (OSError, IndexError) as error:
                answer = Failed(str(error))
            self._control.send(msgspec.json.encode(Answered(asked.number, answer)))

    def _carry_out(self, request: Request) -> Answer:
        match request:
            case Create(links=links):
                for spec in links:
                    self._create(spec)
            case Reshape(link=number, shape=shape):
                for direction in self._links[number].directions:
                    now_ns = time.monotonic_ns()
                    self._hold_all(direction, direction.channel.reshape(now_ns, shape))
            case SetCondition():
                self._set_condition(request)
            case Inspect():
                return Inspected(self._lateness.take_p99_ms())
            case Count():
                directions = (each for link in self._links for each in link.directions)
                return Counted(tuple(each.channel.counters() for each in directions))
        return Done(time.monotonic())

    def _create(self, spec: LinkSpec) -> None:
        link = TapLink(spec, seed=2 * len(self._links))
        self._links.append(link)
        for direction in link.directions:
            self._by_source[direction.source_fd] = direction
            self._epoll.register(direction.source_fd, select.EPOLLIN)

    def _set_condition(self, request: SetCondition) -> None:
        changes = [(self._links[number], condition) for number, condition in request.links]
        for link, condition in changes:
            link.set_passing(condition)
        self._drop_in_flight()
        for link, condition in changes:
            link.set_carrier(condition)

    def _drop_in_flight(self) -> None:
        """Lose the frames that are on links which have failed."""
        passing = [entry for entry in self._in_flight if entry[2].channel.works]
        for _, _, direction, frame in self._in_flight:
            if not direction.channel.works:
                direction.held -= 1
                direction.channel.dropped_by_fault += frame is not LOOK_AGAIN
        heapq.heapify(passing)
        self._in_flight[:] = passing


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
        try:
            LinkDaemon(control).run()
        except OSError as error:
            sys.exit(f"link daemon: {error}")


if __name__ == "__main__":
    main()

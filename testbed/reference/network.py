"""Links that join two network namespaces directly: the near ends here, the far ends apart.

Link n has the addresses 10.99.n.1 (near) and 10.99.n.2 (far). Neighbours are known from the start,
so no frame crosses a link that was not sent to measure it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO

from testbed.interface_counters import interface_counters
from testbed.links.backend import LinkBackend
from testbed.links.interface_state import set_up
from testbed.links.probing import open_backend
from testbed.records import LinkCounters
from testbed.reference.errors import MeasurementError
from testbed.reference.frames import numbered_frame, sender
from topologies.addressing import address
from topologies.model import Link, LinkShape, Switch, Topology

PLAIN = "veth"
"""Not a backend: bare veth pairs, whose figures are the error of the measurement itself."""

_SETTLED_WITHIN_S = 10.0
_QUIET_S = 0.05
"""Besides its delay: no frame takes longer over an idle link."""
_SMALL_FRAME_BYTES = 64


class ReferenceNetwork(AbstractContextManager["ReferenceNetwork"]):
    """The links, made by a backend, or plain veth pairs that nobody shapes.

    The steps are `make`, then `part` if packets are to go over the links (frames need no
    addresses), then `settle`.
    """

    def __init__(self, backend: str, shapes: Sequence[LinkShape], logs: Path) -> None:
        self.topology = _pairs(shapes)
        self._addressing = address(self.topology)
        self.near = tuple(self._addressing.interface(link.a, link.b) for link in self._all)
        self.far = tuple(self._addressing.interface(link.b, link.a) for link in self._all)
        self.backend: LinkBackend | None = None if backend == PLAIN else open_backend(backend, logs)
        self._holder: subprocess.Popen[bytes] | None = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes; interfaces go with the sandbox."""
        processes = [*(self.backend.processes().values() if self.backend else ())]
        for process in (*processes, *((self._holder,) if self._holder else ())):
            process.kill()
            process.wait()

    @property
    def _all(self) -> tuple[Link, ...]:
        return self.topology.links

    def make(self) -> None:
        """Make both ends of every link, up and shaped, in this namespace."""
        if self.backend is not None:
            self.backend.create(self.topology, self._addressing)
        else:
            pairs = zip(self.near, self.far, strict=True)
            _ip([f"link add {near} type veth peer name {far}" for near, far in pairs])
        set_up((end, True) for end in (*self.near, *self.far))

    def part(self) -> None:
        """Move the far ends to a namespace of their own, and give every end an address."""
        holder = ["unshare", "--net", "sh", "-c", "echo ready; exec sleep infinity"]
        self._holder = subprocess.Popen(holder, stdout=subprocess.PIPE)
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            raise MeasurementError("the namespace of the far ends could not be opened")
        _ip([f"link set {far} netns {self._holder.pid}" for far in self.far])
        _ip(self._addresses(self.near, 1, 2))
        _ip(["link set lo up", *self._addresses(self.far, 2, 1)], self._enter())

    def settle(self) -> None:
        """Wait until every link carries frames: one that came up is not ready at once.

        Raises:
            MeasurementError: a link never does.
        """
        deadline_s = time.monotonic() + _SETTLED_WITHIN_S
        pause_s = _QUIET_S + max(link.shape.delay_ms for link in self._all) / 1e3
        frame = numbered_frame(0, _SMALL_FRAME_BYTES)
        waiting = set(range(len(self.near)))
        with ExitStack() as sockets:
            senders = [sockets.enter_context(sender(near)) for near in self.near]
            while waiting:
                if time.monotonic() > deadline_s:
                    raise MeasurementError(f"no frame gets through {len(waiting)} of the links")
                before = self.received_frames()
                for number in waiting:
                    senders[number].send(frame)
                time.sleep(pause_s)
                after = self.received_frames()
                waiting = {number for number in waiting if after[number] == before[number]}

    def address(self, number: int) -> str:
        """IPv4 address of the far end of a link."""
        return _ipv4(number, 2)

    def start_far(
        self, argv: Sequence[str], stdout: IO[bytes] | int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a command beside the far ends."""
        return subprocess.Popen(
            [*self._enter(), *argv],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
        )

    def received_frames(self) -> tuple[int, ...]:
        """Frames that came out at the far end of each link, as its interface counts them."""
        counters = interface_counters(None if self._holder is None else self._holder.pid)
        return tuple(counters[name].received.packets for name in self.far)

    def counters(self, number: int) -> LinkCounters | None:
        """What the backend counted from the near to the far end of a link; None: it is plain."""
        if self.backend is None:
            return None
        return self.backend.counters()[self._all[number].directions[0]]

    def _addresses(self, ends: Sequence[str], own: int, peer: int) -> list[str]:
        commands = []
        for number, end in enumerate(ends):
            commands += [
                f"link set {end} address {_mac(number, own)}",
                f"link set {end} up",
                f"addr add {_ipv4(number, own)}/30 dev {end}",
                f"neigh replace {_ipv4(number, peer)} lladdr {_mac(number, peer)} dev {end}",
            ]
        return commands

    def _enter(self) -> list[str]:
        return [] if self._holder is None else ["mnexec", "-a", str(self._holder.pid)]


def _pairs(shapes: Sequence[LinkShape]) -> Topology:
    """As many links that have nothing to do with one another."""
    ends = [(f"a{number}", f"b{number}") for number in range(len(shapes))]
    return Topology(
        name="reference",
        switches=tuple(Switch(name, name) for pair in ends for name in pair),
        hosts=(),
        links=tuple(Link(a, b, shape) for (a, b), shape in zip(ends, shapes, strict=True)),
    )


def _ipv4(number: int, end: int) -> str:
    return f"10.99.{number}.{end}"


def _mac(number: int, end: int) -> str:
    return f"02:00:00:99:{number:02x}:{end:02x}"


def _ip(commands: Sequence[str], prefix: Sequence[str] = ()) -> None:
    """Several ip commands in one process; see ip(8)."""
    done = subprocess.run(
        [*prefix, "ip", "-batch", "-"],
        input="\n".join(commands),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise MeasurementError(f"ip: {done.stderr.strip()}")

"""Links that join two network namespaces directly: the near ends here, the far ends apart.

Link n has the addresses 10.99.n.1 (near) and 10.99.n.2 (far). Neighbours are known from the start,
so no frame crosses a link that was not sent to measure it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import IO

from testbed.links.backend import LinkBackend, LinkError
from testbed.links.probing import open_backend
from testbed.reference.errors import MeasurementError
from topologies.addressing import address
from topologies.model import Link, LinkShape, Switch, Topology

PLAIN = "veth"
"""Not a backend: bare veth pairs, whose figures are the error of the measurement itself."""


class ReferenceNetwork(AbstractContextManager["ReferenceNetwork"]):
    """The links, made by a backend, or plain veth pairs that nobody shapes.

    The steps are `make`, then `part` if packets are to go over the links (frames need no
    addresses), then `shape`.
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
        """Make both ends of every link, up, in this namespace."""
        if self.backend is not None:
            self.backend.create(self.topology, self._addressing)
        there = {path.name for path in Path("/sys/class/net").iterdir()}
        pairs = zip(self.near, self.far, strict=True)
        missing = [(near, far) for near, far in pairs if near not in there]
        _ip(
            [f"link add {near} type veth peer name {far}" for near, far in missing]
            + [f"link set {end} up" for pair in missing for end in pair]
        )

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

    def shape(self) -> None:
        """Put rate, delay, loss and queue in force."""
        if self.backend is not None:
            self.backend.shape_all(self._run_in)

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
        process = "self" if self._holder is None else str(self._holder.pid)
        received = {}
        for line in Path(f"/proc/{process}/net/dev").read_text().splitlines()[2:]:
            name, _, counters = line.partition(":")
            received[name.strip()] = int(counters.split()[1])
        return tuple(received[name] for name in self.far)

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

    def _run_in(self, node: str, argv: Sequence[str]) -> None:
        prefix = self._enter() if node.startswith("b") else []
        done = subprocess.run([*prefix, *argv], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise LinkError(f"{node}: {' '.join(argv)}: {done.stderr.strip()}")


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

"""What packets did on known networks, matrices and routings: the data that models are fitted to.

A file of JSON lines. A `Network` stands before the first `Sample` that was measured on it; samples
name their network. Lines are appended as they are measured, so a file that broke off is as good as
what it holds. All arrays follow `Topology.od_pairs` or `Indexing.directions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from topologies.model import Path as SwitchPath
from topologies.model import Routing, Topology
from twin.indexing import FloatArray, Indexing


class SamplesError(Exception):
    """A file that should hold samples does not; the message is for the user."""


class Network(msgspec.Struct, frozen=True, tag="network"):
    """Where samples were measured."""

    name: str
    """Unique in the file; the same name is the same network."""
    topology: Topology


class Sample(msgspec.Struct, frozen=True, tag="sample", kw_only=True):
    """Some seconds of constant traffic under one routing, soon after it began.

    Delays are one-way, host to host, of the workload's own packets. None: nothing arrived.
    """

    network: str
    number: int
    """Of the trial: the same number on the same network is the same matrix and routing."""
    load: float
    """The least maximum utilisation that any routing could reach with this matrix."""
    paths: tuple[SwitchPath, ...]
    od_bps: tuple[float, ...]
    """Ethernet frames, as asked of the senders."""
    frame_bytes: tuple[float, ...]
    """Size of each pair's frames."""
    since_s: float
    """How long ago the traffic had begun, on empty queues, when the sample did."""
    duration_s: float
    packets: tuple[int, ...]
    """Received."""
    lost: tuple[int, ...]
    mean_ms: tuple[float | None, ...]
    p95_ms: tuple[float | None, ...]
    """Linear inside bins of half a millisecond."""


@dataclass(frozen=True)
class Samples:
    """The content of a file."""

    networks: Mapping[str, Topology]
    samples: tuple[Sample, ...]

    @cached_property
    def indexing(self) -> Mapping[str, Indexing]:
        """Of every network."""
        return {name: Indexing(topology) for name, topology in self.networks.items()}

    def numbers(self, network: str) -> frozenset[int]:
        """The trials that have been measured on a network."""
        return frozenset(one.number for one in self.samples if one.network == network)


def routing(sample: Sample, indexing: Indexing) -> Routing:
    """The routing of a sample by pair."""
    return dict(zip(indexing.pairs, sample.paths, strict=True))


def array(values: Iterable[float | None]) -> FloatArray:
    """With NaN for None."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


_decoder: msgspec.json.Decoder[Network | Sample] = msgspec.json.Decoder(Network | Sample)


def read(path: Path) -> Samples:
    """Read a file; one that does not exist holds nothing, a last line cut off is left out.

    Raises:
        SamplesError: it cannot be read, or is no such file of this version. One that holds
            anything but a first line in full is not: `append` would write over it.
    """
    networks: dict[str, Topology] = {}
    samples = []
    try:
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    except OSError as error:
        raise SamplesError(f"{path} cannot be read: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            continue
        try:
            record = _decoder.decode(line)
        except msgspec.DecodeError as error:
            raise SamplesError(
                f"{path}, line {number}: no readable samples ({error}); another program or version "
                "wrote it: move it away, or give another file"
            ) from None
        if isinstance(record, Network):
            networks[record.name] = record.topology
        else:
            samples.append(record)
    if lines and not networks and not samples:
        raise SamplesError(
            f"{path}: no readable samples, only a line that breaks off: move it away, or give "
            "another file"
        )
    strange = {one.network for one in samples} - set(networks)
    if strange:
        raise SamplesError(f"{path}: samples of a network that is not in it: {min(strange)}")
    return Samples(networks, tuple(samples))


def append(path: Path, records: Iterable[Network | Sample]) -> None:
    """Add records to the end of a file, after a line that broke off.

    Raises:
        SamplesError: it cannot be written.
    """
    lines = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.read_bytes().rpartition(b"\n")[:2] if path.exists() else ()
        with path.open("ab") as file:
            file.truncate(sum(map(len, whole)))
            file.write(lines)
    except OSError as error:
        raise SamplesError(f"{path} cannot be written: {error.strerror}") from None

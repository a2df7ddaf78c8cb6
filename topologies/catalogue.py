"""Every network by its name: built in, from topohub, or a file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from topologies.documents import DocumentError, Problem, did_you_mean
from topologies.model import Link, Queueing, Topology
from topologies.schema import load_network
from topologies.topohub import PREFIX, load_topohub


def builtin_names() -> tuple[str, ...]:
    """Return the names of the networks that come with the project."""
    return tuple(_builtin_files())


def load_topology(name_or_path: str) -> Topology:
    """Load a built-in name, `topohub:<group>/<network>`, or the path of a YAML file.

    Raises:
        DocumentError: there is no such network, or its file has problems (all are named).
    """
    if name_or_path.startswith(PREFIX):
        return load_topohub(name_or_path)
    files = _builtin_files()
    if name_or_path in files:
        return load_network(files[name_or_path])
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"}:
        return load_network(path)
    hint = f"{did_you_mean(name_or_path, files)}; a file ends in .yaml, and topohub: has many more"
    raise DocumentError([Problem(name_or_path, None, "", "there is no such network", hint)])


def with_core_shape(
    topology: Topology,
    rate_bps: float | None = None,
    queue_packets: int | None = None,
    delay_factor: float = 1.0,
    queueing: Queueing | None = None,
) -> Topology:
    """Return `topology` with other rates and queues on all core links, and their delays scaled."""
    return replace(
        topology,
        links=tuple(
            link
            if link.a in topology.switch_of
            else _reshaped(link, rate_bps, queue_packets, delay_factor, queueing)
            for link in topology.links
        ),
    )


def _reshaped(
    link: Link,
    rate_bps: float | None,
    queue_packets: int | None,
    delay_factor: float,
    queueing: Queueing | None,
) -> Link:
    shape = replace(
        link.shape,
        rate_bps=rate_bps or link.shape.rate_bps,
        queue_packets=queue_packets or link.shape.queue_packets,
        queue_bytes=None if queue_packets else link.shape.queue_bytes,
        queueing=queueing or link.shape.queueing,
        delay_ms=link.shape.delay_ms * delay_factor,
        jitter_ms=link.shape.jitter_ms * delay_factor,
    )
    return replace(link, shape=shape)


def _builtin_files() -> dict[str, Path]:
    folder = Path(__file__).parent / "builtin"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from fake_network import SHAPE, ring

from controller.errors import StartError
from controller.topology_file import read_topology
from topologies.model import Host, Link, Topology


def written(tmp_path: Path, topology: Topology) -> Path:
    path = tmp_path / "topology.json"
    path.write_bytes(msgspec.json.encode(topology))
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    assert read_topology(written(tmp_path, ring(4))) == ring(4)


@pytest.mark.parametrize("text", ["", "{}", "[", '{"name": 3}', "\udcff"])
def test_what_is_no_topology_is_refused_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "topology.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(StartError, match=r"topology\.json: "):
        read_topology(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="No such file"):
        read_topology(tmp_path / "topology.json")


def test_all_contradictions_are_named_at_once(tmp_path: Path) -> None:
    good = ring(3)
    bad = replace(
        good,
        hosts=(*good.hosts, Host("h9", "h9", "s9")),
        links=(*good.links, Link("s1", "s8", SHAPE)),
    )
    with pytest.raises(StartError) as caught:
        read_topology(written(tmp_path, bad))
    assert "link s1-s8: there is no node s8" in str(caught.value)
    assert "host h9: it has no link to its switch s9" in str(caught.value)


def test_an_empty_network_and_double_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="it has no switch"):
        read_topology(written(tmp_path, Topology("none", (), (), ())))
    good = ring(3)
    double = replace(good, switches=(*good.switches, good.switches[0]))
    with pytest.raises(StartError, match="same name"):
        read_topology(written(tmp_path, double))

from dataclasses import replace
from pathlib import Path

import pytest

from topologies.addressing import address
from topologies.catalogue import builtin_names, load_topology, with_core_shape
from topologies.documents import DocumentError
from topologies.paths import shortest_paths


@pytest.mark.parametrize("name", builtin_names())
def test_builtin_networks_load_and_connect_everybody(name: str) -> None:
    topology = load_topology(name)
    assert topology.name == name
    assert set(shortest_paths(topology)) == set(topology.od_pairs)
    assert all(len(f"{node}-eth99") <= 15 for node, _ in address(topology).port)


def test_the_builtin_networks_are_these() -> None:
    assert builtin_names() == ("leaf-spine", "metro-6g", "ring", "triangle")
    sizes = {name: load_topology(name) for name in builtin_names()}
    assert {name: (len(t.switches), len(t.hosts)) for name, t in sizes.items()} == {
        "leaf-spine": (6, 8),
        "metro-6g": (10, 8),
        "ring": (6, 6),
        "triangle": (3, 3),
    }
    assert {switch.zone for switch in sizes["metro-6g"].switches} == {"access", "edge", "core"}


def test_files_are_loaded_by_path(tmp_path: Path) -> None:
    file = tmp_path / "pair.yaml"
    file.write_text("name: pair\nswitches: {s1: {}}\nhosts: {h1: {switch: s1}, h2: {switch: s1}}\n")
    assert load_topology(str(file)).od_pairs == (("h1", "h2"), ("h2", "h1"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("trangle", "trangle: there is no such network (did you mean triangle?; "),
        ("none.yaml", "none.yaml: No such file or directory"),
        ("topohub:sndlib/abilen", "no network 'abilen' in sndlib (did you mean abilene?)"),
        ("topohub:topozoo/abilene", "(did you mean Abilene"),
        ("topohub:sndlb/abilene", "no group 'sndlb' (topohub:<group>/<network>; did you mean sndl"),
        ("topohub:../../setup", "no group '../..'"),
        ("topohub:", "no group ''"),
        ("topohub:backbone/africa", "has 403 switches, more than the 64 that fit one machine"),
    ],
)
def test_unknown_names_are_told_with_near_ones(name: str, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load_topology(name)
    assert message in str(caught.value)


def test_core_shape_leaves_access_links_alone() -> None:
    metro = load_topology("metro-6g")
    shaped = with_core_shape(metro, rate_bps=5e6, queue_packets=30, delay_factor=2.0)
    assert shaped.access_links == metro.access_links
    for before, after in zip(metro.core_links, shaped.core_links, strict=True):
        assert after.directions == before.directions
        assert (after.shape.rate_bps, after.shape.queue_packets) == (5e6, 30)
        assert after.shape.delay_ms == 2.0 * before.shape.delay_ms
    assert with_core_shape(metro) == metro
    in_bytes = replace(
        metro,
        links=tuple(replace(x, shape=replace(x.shape, queue_bytes=9000)) for x in metro.links),
    )
    assert {link.shape.queue_bytes for link in with_core_shape(in_bytes).links} == {9000}
    in_packets = with_core_shape(in_bytes, queue_packets=30)
    assert {link.shape.queue_bytes for link in in_packets.core_links} == {None}
    by_class = with_core_shape(metro, queueing="priority")
    assert {link.shape.queueing for link in by_class.core_links} == {"priority"}

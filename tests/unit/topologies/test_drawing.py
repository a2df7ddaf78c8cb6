from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from topologies.catalogue import load_topology
from topologies.drawing import svg, text
from topologies.model import Topology

SVG = "{http://www.w3.org/2000/svg}"
NAMES = ("triangle", "ring", "leaf-spine", "metro-6g", "topohub:sndlib/abilene")


def without_positions(topology: Topology) -> Topology:
    switches = tuple(replace(switch, position=None) for switch in topology.switches)
    return replace(topology, switches=switches)


@pytest.mark.parametrize("name", [*NAMES, "topohub:sndlib/germany50"])
@pytest.mark.parametrize("width", [40, 78, 120])
def test_text_shows_every_switch_within_its_box(name: str, width: int) -> None:
    topology = load_topology(name)
    lines = text(topology, width, 22).split("\n")
    assert len(lines) == 22
    assert max(map(len, lines)) <= width
    shown = "".join(c if ord(c) < 0x2800 else " " for c in "\n".join(lines)).split()
    if name in NAMES:
        assert sorted(shown) == sorted(switch.name for switch in topology.switches)


def test_lines_join_the_switches() -> None:
    first, *between, last = text(load_topology("triangle"), 30, 9).split("\n")
    assert first.strip("⠀⢀⣀⡀ ") == "s3"
    assert all(row.strip() for row in between)
    assert last.startswith("s1")
    assert last.endswith("s2")


def test_svg_has_a_half_line_for_each_direction() -> None:
    abilene = load_topology("topohub:sndlib/abilene")
    root = ElementTree.fromstring(svg(abilene))
    assert len(root.findall(f"{SVG}line")) == len(abilene.core_directions)
    texts = [element.text for element in root.findall(f"{SVG}text")]
    assert {"s5", "HSTNng"} <= set(texts)


def test_svg_tells_utilisation_by_colour_and_number() -> None:
    triangle = load_topology("triangle")
    root = ElementTree.fromstring(svg(triangle, {("s1", "s2"): 0.97, ("s2", "s1"): 0.1}))
    stroke = {
        element.find(f"{SVG}title").text: element.get("stroke")
        for element in root.findall(f"{SVG}line")
    }
    assert stroke["s1 to s2: 97%"] != stroke["s2 to s1: 10%"] == stroke["s2 to s3: 0%"]
    assert "97%" in [element.text for element in root.findall(f"{SVG}text")]


def test_networks_without_positions_are_laid_out_always_alike() -> None:
    network = without_positions(load_topology("metro-6g"))
    assert svg(network) == svg(network)
    assert text(network).count("edge2") == 1


def test_labels_are_escaped(tmp_path: Path) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text('name: odd\nswitches: {s1: {label: "<b>&"}}\nhosts: {h1: {switch: s1}}\n')
    odd = load_topology(str(file))
    assert "&lt;b&gt;&amp;" in svg(odd)
    assert "s1" in text(odd)

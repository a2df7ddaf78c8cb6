import contextlib
import copy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from topologies.documents import DocumentError
from topologies.model import Link, LinkShape, Switch
from topologies.schema import json_schema, load_network

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))

GOOD = """
name: small
defaults:
  core: {rate_mbps: 20, queue_packets: 50}
  access: {delay_ms: 0.5}
zones: [access, core]
switches:
  s1: {zone: core, label: Centre, at: [1, 2.5]}
  edge-sw-1: {zone: access}
hosts:
  h1: {switch: edge-sw-1, label: Someone, rate_mbps: 100}
links:
  - {between: [edge-sw-1, s1], delay_ms: 3, jitter_ms: 0.5, loss_percent: 1}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "network.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_golden_messages(file: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        load_network(file)
    expected = file.with_suffix(".txt").read_text()
    assert str(caught.value).replace(f"{file.parent}/", "") + "\n" == expected


def test_a_network_is_read_with_its_defaults(tmp_path: Path) -> None:
    topology = load_network(write(tmp_path, GOOD))
    assert topology.name == "small"
    assert topology.switches == (
        Switch("s1", "Centre", "core", (1.0, 2.5)),
        Switch("edge-sw-1", "edge-sw-1", "access"),
    )
    (host,) = topology.hosts
    assert (host.label, host.switch, host.zone) == ("Someone", "edge-sw-1", "access")
    assert topology.core_links == (
        Link("edge-sw-1", "s1", LinkShape(20e6, 3.0, 0.5, 1.0, queue_packets=50)),
    )
    assert topology.access_links == (Link("h1", "edge-sw-1", LinkShape(100e6, 0.5)),)


def test_a_link_may_do_all_that_the_model_knows(tmp_path: Path) -> None:
    impairments = (
        "queue_bytes: 30000, jitter_distribution: pareto, jitter_correlation_percent: 25, "
        "reordering: true, loss_burst_packets: 4, duplicate_percent: 0.5, corrupt_percent: 0.1, "
        "queueing: priority"
    )
    network = GOOD.replace("loss_percent: 1}", f"loss_percent: 1, {impairments}}}")
    (link,) = load_network(write(tmp_path, network)).core_links
    assert link.shape == LinkShape(
        rate_bps=20e6,
        delay_ms=3.0,
        jitter_ms=0.5,
        loss_percent=1.0,
        queue_packets=50,
        queue_bytes=30000,
        jitter_distribution="pareto",
        jitter_correlation_percent=25.0,
        reordering=True,
        loss_burst_packets=4.0,
        duplicate_percent=0.5,
        corrupt_percent=0.1,
        queueing="priority",
    )


def test_a_links_own_queue_in_packets_takes_the_place_of_one_in_bytes(tmp_path: Path) -> None:
    network = GOOD.replace("queue_packets: 50", "queue_bytes: 30000")
    (link,) = load_network(write(tmp_path, network)).core_links
    assert link.shape.queue_bytes == 30000
    network = network.replace("loss_percent: 1}", "queue_packets: 7}")
    (link,) = load_network(write(tmp_path, network)).core_links
    assert (link.shape.queue_packets, link.shape.queue_bytes) == (7, None)


@pytest.mark.parametrize("section", ["core: {", "access: {", "h1: {", "- {"])
def test_a_queue_is_in_packets_or_in_bytes(tmp_path: Path, section: str) -> None:
    network = GOOD.replace(", queue_packets: 50", "")
    both = f"{section}queue_bytes: 30000, queue_packets: 20, "
    with pytest.raises(DocumentError, match=r"queue_bytes: .*queue_packets.*\(keep one") as caught:
        load_network(write(tmp_path, network.replace(section, both, 1)))
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("core", "link", "where"),
    [
        (
            "",
            "loss_percent: 100, loss_burst_packets: 5",
            r"links\[0\].loss_percent: 100 % .*83.33 %",
        ),
        ("loss_burst_packets: 1", "loss_percent: 51", r"links\[0\].loss_percent: 51 % .*50 %"),
        ("loss_percent: 90", "loss_burst_packets: 2", r"links\[0\].loss_burst_packets: 90 %"),
        ("loss_percent: 90, loss_burst_packets: 2", "", r"defaults.core.loss_percent: 90 %"),
    ],
)
def test_bursts_leave_a_frame_between_them(
    tmp_path: Path, core: str, link: str, where: str
) -> None:
    network = GOOD.replace("queue_packets: 50}", f"queue_packets: 50, {core}}}")
    with pytest.raises(DocumentError, match=where) as caught:
        load_network(write(tmp_path, network.replace("loss_percent: 1}", f"{link}}}")))
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("queue_bytes: 1513", "1513 is less than 1514"),
        ("loss_burst_packets: 0.5", "0.5 is less than 1"),
        ("jitter_correlation_percent: 101", "101.* is more than 100"),
        ("jitter_distribution: gamma", "'gamma' is not one of 'normal', 'uniform' or 'pareto'"),
        ("queueing: wfq", "'wfq' is not one of 'fifo' or 'priority'"),
        ("reordering: 1", "1 is neither true nor false"),
    ],
)
def test_impossible_impairments_are_refused(tmp_path: Path, given: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        load_network(write(tmp_path, GOOD.replace("loss_percent: 1}", f"{given}}}")))


def test_names_leave_room_for_the_interface(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"'edge-sw-10' is not a valid name .*15 characters"):
        load_network(write(tmp_path, GOOD.replace("edge-sw-1", "edge-sw-10")))


def star(hub: str, hosts: int) -> str:
    names = ", ".join(f"h{number}: {{switch: {hub}}}" for number in range(hosts))
    return f"name: star\nswitches: {{{hub}: {{}}}}\nhosts: {{{names}}}\n"


def test_a_switch_has_no_more_ports_than_its_name_leaves_room_for(tmp_path: Path) -> None:
    for hub, hosts in (("aggregate", 99), ("aggregat", 100)):
        assert len(load_network(write(tmp_path, star(hub, hosts))).hosts) == hosts
    with pytest.raises(
        DocumentError,
        match=r"switches.aggregate: .* 100 ports.* aggregate-eth100 .*15 .*\(shorten the name\)",
    ):
        load_network(write(tmp_path, star("aggregate", 100)))
    both = star("aggregate", 99).replace("{aggregate: {}}", "{aggregate: {}, s1: {}}")
    with pytest.raises(DocumentError, match="100 ports"):
        load_network(write(tmp_path, f"{both}links: [{{between: [s1, aggregate]}}]\n"))


@pytest.mark.parametrize("name", ["lo", "h1-eth0", "edge-eth1"])
def test_no_switch_is_called_like_an_interface(tmp_path: Path, name: str) -> None:
    network = GOOD.replace("edge-sw-1", "edge").replace("s1", name)
    with pytest.raises(DocumentError, match=rf"switches.{name}: is the name of an interface"):
        load_network(write(tmp_path, network))


def test_the_json_schema_knows_every_key() -> None:
    schema = json_schema()
    keys = {"name", "defaults", "zones", "switches", "hosts", "links", "policies"}
    assert set(schema["properties"]) == keys
    of_a_shape = {field.name for field in fields(LinkShape)} - {"rate_bps"} | {"rate_mbps"}
    assert of_a_shape <= set(schema["$defs"]["LinkSection"]["properties"])


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 9),
    st.floats(),
    st.dates(),
    st.sampled_from(["", "s1", "h1", "core", [], {}, ["s1", "s1"], [["s1"], {}], {1: 2, None: 3}]),
)


def key_paths(tree: Any) -> list[tuple[Any, ...]]:
    if not isinstance(tree, (dict, list)):
        return []
    children = list(tree.items() if isinstance(tree, dict) else enumerate(tree))
    return [(key, *below) for key, child in children for below in [(), *key_paths(child)]]


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_document_brings_the_reader_down(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    network = yaml.safe_load(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        *parents, place = data.draw(st.sampled_from(key_paths(network)))
        section = network
        for parent in parents:
            section = section[parent]
        section[place] = copy.deepcopy(data.draw(ODD))  # or examples would share a list
    file = write(tmp_path_factory.getbasetemp(), yaml.safe_dump(network))
    with contextlib.suppress(DocumentError):
        load_network(file)

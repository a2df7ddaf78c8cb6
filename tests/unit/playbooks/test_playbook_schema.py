import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from playbooks.event_sections import (
    EndDown,
    Flood,
    HostCrash,
    LinkDown,
    Silent,
    SwitchCrash,
)
from playbooks.schema import (
    builtin_playbook,
    dump_playbook,
    json_schema,
    load_playbook,
)
from topologies.documents import DocumentError

BAD = sorted((Path(__file__).parent / "bad").glob("*.yaml"))
BUILTIN = ("high-load", "network-failure", "security-breach", "wrong-model", "degrading-link")

GOOD = """
name: everything
title: All that a playbook can say
topology: {use: "topohub:sndlib/abilene", rate_mbps: 5, queue_packets: 40, delay_factor: 0.5}
routing: {weight: hops}
traffic: {kind: peak, interval_s: 2, steps: 12, shortest_path_mlu: 1.1}
measure: {from_step: 3}
probes:
  latency: {pairs: 6, spacing_ms: 10}
  outage: {pairs: 2, spacing_ms: 1}
timeline:
  - {at_s: 4, do: link-down, link: busiest}
  - {at_s: 5.5, do: link-down, link: [KSCYng, s5], for_s: 3}
  - {at_s: 6, do: control-outage, switch: WASHng, for_s: 4}
  - {at_s: 8, do: flood, victim: CHINng, sources: 2, for_s: 6, rate_mbps: 8}
  - {at_s: 9, do: end-down, link: [KSCYng, s5], end: s5, for_s: 2}
  - {at_s: 9, do: silent, link: [s7, s5], from: KSCYng}
  - {at_s: 9, do: silent, link: busiest, for_s: 1.5}
  - {at_s: 10, do: degrade, link: busiest, over_s: 3, loss_percent: 20, delay_ms: 80, for_s: 5}
  - {at_s: 11, do: flap, link: busiest, down_s: 0.5, up_s: 1, times: 3}
  - {at_s: 11.5, do: controller-crash, for_s: 1}
  - {at_s: 11.5, do: twin-crash, for_s: 2}
  - {at_s: 12, do: switch-crash, switch: WASHng, for_s: 4}
  - {at_s: 13, do: host-crash, host: CHINng}
expect:
  error_rate_percent: {max: 5}
  latency_ms.p95: {min: 1, max: 80}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "playbook.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.stem)
def test_golden_messages(file: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        load_playbook(file)
    expected = file.with_suffix(".txt").read_text()
    assert str(caught.value).replace(f"{file.parent}/", "") + "\n" == expected


@pytest.mark.parametrize("name", BUILTIN)
def test_builtin_playbooks_are_right_and_short(name: str) -> None:
    playbook = load_playbook(builtin_playbook(name))
    assert playbook.name == name
    assert playbook.traffic.duration_s <= 40
    network = playbook.network()
    assert len(network.switches) == 12
    assert {link.shape.rate_bps for link in network.core_links} <= {8e6, 10e6}


def test_labels_on_the_timeline_become_names(tmp_path: Path) -> None:
    playbook = load_playbook(write(tmp_path, GOOD))
    busiest, between, outage, flood, end_down, silent, *_, killed, blind, crash, dead = (
        playbook.timeline
    )
    assert isinstance(busiest, LinkDown)
    assert busiest.link == "busiest"
    assert isinstance(between, LinkDown)
    assert (between.link, between.for_s) == (("s7", "s5"), 3)
    assert outage.do == "control-outage"
    assert outage.switch == "s12"
    assert isinstance(flood, Flood)
    assert flood.victim == "h3"
    assert isinstance(end_down, EndDown)
    assert (end_down.link, end_down.end) == (("s7", "s5"), "s5")
    assert isinstance(silent, Silent)
    assert silent.sender == "s7"
    assert (killed.do, killed.for_s) == ("controller-crash", 1)
    assert (blind.do, blind.for_s) == ("twin-crash", 2)
    assert isinstance(crash, SwitchCrash)
    assert crash.switch == "s12"
    assert isinstance(dead, HostCrash)
    assert dead.host == "h3"


def test_the_network_has_the_asked_shape(tmp_path: Path) -> None:
    shape = load_playbook(write(tmp_path, GOOD)).network().link_between["s2", "s5"].shape
    assert (shape.rate_bps, shape.delay_ms, shape.queue_packets) == (5e6, 8.096 / 2, 40)


def test_network_files_are_found_from_the_playbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = tmp_path / "lab" / "pair.yaml"
    network.parent.mkdir()
    network.write_text("name: pair\nswitches: {s1: {}}\nhosts: {h1: {switch: s1}}\n")
    head, _, _ = GOOD.partition("timeline:")
    file = write(tmp_path, head.replace("topohub:sndlib/abilene", "lab/pair.yaml"))
    monkeypatch.chdir("/")
    assert load_playbook(file).network().name == "pair"
    resolved = write(network.parent, dump_playbook(load_playbook(file)))
    assert load_playbook(resolved) == load_playbook(file)


FLOOD = """
name: flood
title: Few can attack
topology: {use: triangle}
traffic: {kind: normal, interval_s: 2, steps: 4, shortest_path_mlu: 0.5}
timeline: [{at_s: 2, do: flood, victim: h1, for_s: 2, rate_mbps: 5}]
"""


@pytest.mark.parametrize(
    ("network", "victim", "sources"),
    [("triangle", "h1", 2), ("triangle", "busiest", 2), ("leaf-spine", "h1", 3)],
)
def test_three_attack_unless_there_are_fewer(
    tmp_path: Path, network: str, victim: str, sources: int
) -> None:
    text = FLOOD.replace("triangle", network).replace("h1", victim)
    playbook = load_playbook(write(tmp_path, text))
    (flood,) = playbook.timeline
    assert isinstance(flood, Flood)
    assert flood.sources == sources
    assert load_playbook(write(tmp_path, dump_playbook(playbook))) == playbook


@pytest.mark.parametrize("name", BUILTIN)
def test_the_resolved_playbook_is_the_same_playbook(name: str, tmp_path: Path) -> None:
    playbook = load_playbook(builtin_playbook(name))
    assert load_playbook(write(tmp_path, dump_playbook(playbook))) == playbook


def test_every_kind_of_event_is_written_out_and_read_again(tmp_path: Path) -> None:
    playbook = load_playbook(write(tmp_path, GOOD))
    assert load_playbook(write(tmp_path, dump_playbook(playbook))) == playbook


def test_defaults_are_written_out(tmp_path: Path) -> None:
    minimal = "\n".join(line for line in GOOD.splitlines()[:6] if not line.startswith("routing"))
    resolved = yaml.safe_load(dump_playbook(load_playbook(write(tmp_path, minimal))))
    assert resolved["routing"] == {"weight": "delay", "protection": "none"}
    assert resolved["measure"] == {"from_step": 1}
    assert resolved["probes"]["outage"] == {"pairs": 4, "spacing_ms": 2.0}


def test_the_json_schema_knows_the_events() -> None:
    definitions = json_schema()["$defs"]
    events = {"LinkDown", "EndDown", "Silent", "Degrade", "Flap", "SwitchCrash", "HostCrash"}
    assert events | {"ControlOutage", "Flood", "Bound"} <= set(definitions)
    for event in definitions.values():
        if "do" in event.get("properties", {}):
            fields = [v for name, v in event["properties"].items() if name != "do"]
            assert all(field.get("description") for field in fields)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 9),
    st.floats(),
    st.dates(),
    st.sampled_from(
        ["", "s1", "h1", "busiest", "flood", "link-down", "ring", [], {}, [["s1"], {}], {1: 2}]
    ),
)


def key_paths(tree: Any) -> list[tuple[Any, ...]]:
    if not isinstance(tree, (dict, list)):
        return []
    children = list(tree.items() if isinstance(tree, dict) else enumerate(tree))
    return [(key, *below) for key, child in children for below in [(), *key_paths(child)]]


@pytest.mark.parametrize(
    ("protection", "queueing", "meant"),
    [("none", "", "fifo"), ("bfd", "", "priority"), ("bfd", ", queueing: fifo", "fifo")],
)
def test_bfd_goes_first_on_full_links_unless_told_otherwise(
    tmp_path: Path, protection: str, queueing: str, meant: str
) -> None:
    file = tmp_path / "playbook.yaml"
    file.write_text(
        f"""
name: x
title: x
topology: {{use: triangle{queueing}}}
routing: {{protection: {protection}}}
traffic: {{kind: normal, interval_s: 2, steps: 4, shortest_path_mlu: 0.5}}
"""
    )
    topology = load_playbook(file).network()
    assert {link.shape.queueing for link in topology.core_links} == {meant}
    assert {link.shape.queueing for link in topology.access_links} == {"fifo"}


@settings(max_examples=150)
@given(st.data())
def test_no_document_brings_the_reader_down(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    playbook = yaml.safe_load(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        *parents, place = data.draw(st.sampled_from(key_paths(playbook)))
        section = playbook
        for parent in parents:
            section = section[parent]
        section[place] = data.draw(ODD)
    file = write(tmp_path_factory.getbasetemp(), yaml.safe_dump(playbook))
    with contextlib.suppress(DocumentError):
        load_playbook(file)

"""`verify` on run directories whose tables are planned ones, as ovs-ofctl would print them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from cli.main import main
from controller.dumped_tables import entries_of, groups_of
from controller.flow_entries import TO_CONTROLLER, VLAN_PRESENT, FlowEntry, Kind, route_entries
from controller.groups import Group
from controller.labels import Labels
from controller.messages import Hello, LinkState
from controller.protection import Protection
from controller.standing_entries import standing_entries
from playbooks.plan import Plan, ProtectionMode, write_plan
from results.run_directory import Manifest, RunDirectory
from testbed.switch_tables import SwitchTables
from topologies.addressing import address
from topologies.catalogue import load_topology
from topologies.detours import detours
from topologies.paths import shortest_paths

TOPOLOGY = load_topology("ring")
ADDRESSING = address(TOPOLOGY)
_NAMES = {
    "ipv4_src": "nw_src",
    "ipv4_dst": "nw_dst",
    "eth_dst": "dl_dst",
    "in_port": "in_port",
    "ipv6_src": "ipv6_src",
    "ipv6_dst": "ipv6_dst",
    "ip_dscp": "nw_tos",
}


def planned(protected: bool) -> tuple[list[FlowEntry], tuple[Group, ...]]:
    """All that the switches should hold."""
    labels = Labels()
    protection = Protection(ADDRESSING, detours(TOPOLOGY) if protected else {})
    entries = [*standing_entries(TOPOLOGY, ADDRESSING), *protection.entries()]
    for pair, path in shortest_paths(TOPOLOGY).items():
        route = route_entries(ADDRESSING, pair, path, labels.fresh(), protection.group_id)
        entries += [route.ingress, *route.behind]
    return entries, protection.groups()


def printed_match(name: str, value: int | str) -> str:
    match name, value:
        case "eth_type", int():
            return f"dl_type={value:#06x}"
        case "vlan_vid", 0:
            return "vlan_tci=0x0000/0x1fff"
        case "vlan_vid", int():
            return f"dl_vlan={value & ~VLAN_PRESENT}"
        case "ip_dscp", int():
            return f"nw_tos={value << 2}"
        case _:
            return f"{_NAMES[name]}={value}"


def printed_entry(entry: FlowEntry) -> str:
    match = ",".join(printed_match(*field) for field in entry.match)
    actions = [
        *(["pop_vlan,load:0->NXM_OF_IN_PORT[]"] if entry.pop_vlan else []),
        *([f"set_field:{entry.set_eth_dst}->eth_dst"] if entry.set_eth_dst else []),
        *([] if entry.set_ip_dscp is None else [f"set_field:{entry.set_ip_dscp}->ip_dscp"]),
        *([f"output:{entry.output}"] if entry.output not in (None, TO_CONTROLLER) else []),
        *(["CONTROLLER:65535"] if entry.output == TO_CONTROLLER else []),
        *([f"group:{entry.group}"] if entry.group else []),
        *([f"goto_table:{entry.goto}"] if entry.goto else []),
    ]
    fields = f" cookie={entry.cookie:#x}, table={entry.table}, priority={entry.priority},{match}"
    return f"{fields} actions={','.join(actions) or 'drop'}"


def printed_group(group: Group) -> str:
    buckets = [
        f"bucket=watch_port:{bucket.output},actions="
        + (
            f"load:0->NXM_OF_IN_PORT[],push_vlan:0x8100,set_field:{VLAN_PRESENT | bucket.push}"
            "->vlan_vid,"
            if bucket.push is not None
            else ""
        )
        + f"output:{bucket.output}"
        for bucket in group.buckets
    ]
    return f" group_id={group.group_id},type=ff,{','.join(buckets)}"


def recorded(
    path: Path,
    entries: Iterable[FlowEntry],
    groups: Iterable[Group] = (),
    protection: ProtectionMode = "none",
    down: Iterable[tuple[str, str]] = (),
) -> Path:
    """A run directory, as far as `verify` reads it."""
    entries, groups = list(entries), list(groups)
    run_dir = RunDirectory(path)
    run_dir.write_topology(TOPOLOGY)
    write_plan(
        Plan(
            policy="twin",
            weight="delay",
            backend="userspace",
            interval_s=1.0,
            duration_s=6.0,
            measure_from_s=0.0,
            actions=(),
            probes=(),
            forecaster="",
            imputer="",
            protection=protection,
        ),
        path,
    )
    manifest = Manifest(
        run=path.name,
        playbook="p",
        policy="twin",
        seed=1,
        started_at="2026-01-01T00:00:00Z",
        realtime_minus_monotonic_s=0.0,
        interval_s=1.0,
        backend="userspace",
        versions={},
    )
    run_dir.manifest.write_bytes(msgspec.json.encode(manifest))
    tables = {
        switch.name: SwitchTables(
            "\n".join(printed_entry(e) for e in entries if e.switch == switch.name),
            "\n".join(printed_group(g) for g in groups if g.switch == switch.name),
        )
        for switch in TOPOLOGY.switches
    }
    run_dir.tables.write_bytes(msgspec.json.encode(tables))
    news = [LinkState(t_s=1.0, datapath=a, neighbour=b, up=False) for a, b in down]
    run_dir.telemetry.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in news))
    return path


def verified(
    capsys: pytest.CaptureFixture[str], run_dir: Path, exit_code: int
) -> dict[str, object]:
    assert main(["verify", str(run_dir), "--json"]) == exit_code
    told: dict[str, object] = json.loads(capsys.readouterr().out)
    return told


@pytest.mark.parametrize("protection", ["none", "fast-failover"])
def test_planned_tables_pass(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], protection: ProtectionMode
) -> None:
    protected = protection != "none"
    run_dir = recorded(tmp_path, *planned(protected), protection)
    told = verified(capsys, run_dir, exit_code=0)
    states = 1 + protected * (len(TOPOLOGY.core_links) + len(TOPOLOGY.switches))
    assert (told["states"], told["breaches"]) == (states, [])
    assert main(["verify", str(run_dir)]) == 0
    assert "every pair that can be connected is" in capsys.readouterr().out


def test_what_is_printed_here_is_what_ovs_ofctl_prints() -> None:
    entries, groups = planned(protected=True)
    for entry in entries:
        assert [entry] == list(entries_of(entry.switch, printed_entry(entry)))
    for group in groups:
        assert [group] == list(groups_of(group.switch, printed_group(group)))


def test_an_entry_that_is_missing_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries, _ = planned(protected=False)
    gone = next(e for e in entries if e.kind is Kind.EGRESS)
    told = verified(capsys, recorded(tmp_path, (e for e in entries if e != gone)), exit_code=1)
    (breach,) = {msgspec.json.encode(b) for b in told["breaches"]}  # type: ignore[attr-defined]
    assert f"{gone.switch} drops it" in breach.decode()
    assert main(["verify", str(tmp_path)]) == 1
    assert "do not end as they should" in capsys.readouterr().out


def test_a_loop_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A label that every switch of the ring sends on to the next."""
    entries, _ = planned(protected=False)
    transit = next(e for e in entries if e.kind is Kind.TRANSIT)
    label = next(value for name, value in transit.match if name == "eth_dst")
    names = [switch.name for switch in TOPOLOGY.switches]
    round_it = [
        replace(transit, switch=here, output=ADDRESSING.port[here, there])
        for here, there in zip(names, [*names[1:], names[0]], strict=True)
    ]
    others = [e for e in entries if ("eth_dst", label) not in e.match]
    told = verified(capsys, recorded(tmp_path, [*others, *round_it]), exit_code=1)
    assert any("it loops" in str(breach) for breach in told["breaches"])  # type: ignore[attr-defined]


def test_only_links_between_switches_are_dead_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where one is, single failures are not walked on top of it; a host's link is none of them."""
    entries, groups = planned(protected=True)
    host = TOPOLOGY.hosts[0]
    access = recorded(tmp_path, entries, groups, "bfd", down=[(host.switch, host.name)])
    assert verified(capsys, access, exit_code=0)["states"] != 1
    link = TOPOLOGY.core_links[0]
    core = recorded(tmp_path, entries, groups, "bfd", down=[(link.a, link.b)])
    assert verified(capsys, core, exit_code=0)["states"] == 1


def test_what_a_controller_saw_down_is_forgotten_when_the_next_one_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = TOPOLOGY.core_links[0]
    run_dir = recorded(tmp_path, *planned(protected=True), "bfd", down=[(link.a, link.b)])
    hello = Hello(t_s=2.0, version=1, topology=TOPOLOGY.name)
    with RunDirectory(run_dir).telemetry.open("ab") as telemetry:
        telemetry.write(msgspec.json.encode(hello) + b"\n")
    assert verified(capsys, run_dir, exit_code=0)["states"] != 1


def test_tables_that_are_not_understood_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir = RunDirectory(recorded(tmp_path, []))
    tables = {"s1": SwitchTables(" priority=7,in_port=LOCAL actions=NORMAL", "")}
    run_dir.tables.write_bytes(msgspec.json.encode(tables))
    assert main(["verify", str(tmp_path)]) == 2
    assert "in_port=LOCAL" in " ".join(capsys.readouterr().err.split())

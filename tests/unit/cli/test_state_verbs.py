"""`routes`, `flows` and `events` on the directory of a run that has ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli.main import main
from controller.messages import Hello, LinkState, OdStats, Route, Routes, WeightedPath
from results.run_directory import Event, Manifest, RunDirectory
from testbed.switch_tables import SwitchTables
from topologies.catalogue import load_topology

FLOWS = (
    " cookie=0x74770342c0000001, duration=3s, table=2, n_packets=1234, n_bytes=9, priority=200,"
    "in_port=3,dl_dst=02:00:00:00:00:02 actions=set_field:06:42:c0:00:00:01->eth_dst,output:2\n"
)
DIRECT, ROUND = Route("h1", "h2", ("s1", "s2")), Route("h1", "h2", ("s1", "s3", "s2"))


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    directory = RunDirectory(tmp_path)
    directory.write_topology(load_topology("triangle"))
    manifest = Manifest(
        run="one",
        playbook="p",
        policy="twin",
        seed=1,
        started_at="2026-01-01T00:00:00Z",
        realtime_minus_monotonic_s=0.0,
        interval_s=1.0,
        backend="userspace",
        versions={},
    )
    directory.manifest.write_bytes(msgspec.json.encode(manifest))
    lines(
        directory.events,
        Event(t_s=100.0, event="traffic-start"),
        Event(t_s=110.0, event="link-down", detail={"link": ["s1", "s2"], "stated_s": 110.0}),
        Event(t_s=120.0, event="lab-stopped"),
    )
    lines(
        directory.telemetry,
        Hello(t_s=90.0, version=1, topology="triangle"),
        Routes(t_s=91.0, cause="baseline", routes=(DIRECT,)),
        OdStats(t_s=92.0, datapath="s1", pairs=()),
        LinkState(t_s=110.01, datapath="s1", neighbour="s2", up=False),
        Routes(t_s=110.02, cause="restoration", routes=(ROUND,)),
    )
    directory.tables.write_bytes(msgspec.json.encode({"s1": SwitchTables(FLOWS, "")}))
    return tmp_path


def lines(path: Path, *records: Any) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_routes_are_those_of_the_end(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = answer(capsys, "routes", str(run_dir), "--pair", "h1,h2")
    (route,) = shown["routes"]
    assert (shown["live"], route["path"]) == (False, ["s1", "s3", "s2"])
    assert (route["cause"], route["in_run_s"]) == ("restoration", 10.02)
    assert route["dead_link"] is None
    assert main(["routes", str(run_dir)]) == 0
    assert "s1 s3 s2" in capsys.readouterr().out


def test_a_split_shows_every_path_with_its_weight(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    split = Route("h1", "h2", ("s1", "s2"), 3, (WeightedPath(("s1", "s3", "s2"), 1),))
    lines(RunDirectory(run_dir).telemetry, Routes(t_s=91.0, cause="request", routes=(split,)))
    (route,) = answer(capsys, "routes", str(run_dir), "--pair", "h1,h2")["routes"]
    assert (route["path"], route["weight"]) == (["s1", "s2"], 3)
    assert route["others"] == [{"path": ["s1", "s3", "s2"], "weight": 1}]
    assert main(["routes", str(run_dir), "--pair", "h1,h2"]) == 0
    shown = capsys.readouterr().out
    assert "s1 s2 (weight 3)" in shown
    assert "s1 s3 s2 (weight 1)" in shown


def test_events_stand_in_one_order(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = [event["what"] for event in answer(capsys, "events", str(run_dir))["events"]]
    assert told == [
        *("controller-started", "routes-baseline", "traffic-start"),
        *("link-down", "port-down", "routes-restoration", "lab-stopped"),
    ]


def test_following_a_run_that_has_ended_ends(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["events", str(run_dir), "--follow", "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [told[0]["in_run_s"], told[-1]["what"]] == [-10.0, "lab-stopped"]
    assert main(["events", str(run_dir), "--follow"]) == 0
    assert "+10.000  link-down" in capsys.readouterr().out


def test_flows_have_their_counters(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    switches = answer(capsys, "flows", str(run_dir), "--switch", "s1")["switches"]
    (flow,) = switches["s1"]["flows"]
    assert (flow["kind"], flow["pair"], flow["packets"]) == ("ingress", ["h1", "h2"], 1234)
    assert main(["flows", str(run_dir)]) == 0
    shown = capsys.readouterr().out
    assert "ingress" in shown
    assert "it does not run" in shown  # s2 and s3 had crashed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["routes", "no-such-run"], "twinbed ps"),
        (["routes", "RUN", "--pair", "h1,h9"], "h1, h2, h3"),
        (["routes", "RUN", "--pair", "h1"], "h1, h2, h3"),
        (["flows", "RUN", "--switch", "s9"], "s1, s2, s3"),
    ],
)
def test_what_is_not_there_is_named(
    run_dir: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert main([str(run_dir) if word == "RUN" else word for word in words]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["routes", "flows", "events"])
def test_a_directory_that_is_cut_short_is_no_defect(
    run_dir: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    for name in ("run.json", "telemetry.jsonl", "tables.json", "events.jsonl"):
        (run_dir / name).write_text("{}\n" if name == "telemetry.jsonl" else "")
    assert main([verb, str(run_dir)]) == 2
    assert "be read" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["verify", "flows", "twin", "whatif"])
def test_a_run_without_controller_has_no_tables_and_no_twin(
    run_dir: Path, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    directory = RunDirectory(run_dir)
    observed = msgspec.structs.replace(directory.read_manifest(), policy="spanning-tree")
    directory.manifest.write_bytes(msgspec.json.encode(observed))
    assert main([verb, str(run_dir)]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "ran under spanning-tree, without controller and twin" in told
    assert main(["routes", str(run_dir)]) == 0
    assert "asked each second" in " ".join(capsys.readouterr().err.split())

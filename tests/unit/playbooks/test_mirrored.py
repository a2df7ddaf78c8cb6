"""What `twinbed twin` prints: the mirror at an instant."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_telemetry import network, recorded, telemetry

from cli.main import main
from controller.messages import (
    DropDone,
    LinkDelay,
    LinkDelays,
    MeterCounters,
    MeterStats,
    Route,
    Routes,
    WeightedPath,
)
from playbooks.mirrored import NotMirroredError, mirrored
from topologies.model import Policy, RateLimit
from topologies.paths import shortest_paths


def test_the_mirror_holds_routes_rates_and_states_of_the_instant(tmp_path: Path) -> None:
    image = mirrored(recorded(tmp_path, telemetry(110.0)), 3.9, runs=False)
    assert image.at_s == pytest.approx(3.9)
    assert not image.live
    links = {(link.sender, link.receiver): link for link in image.links}
    assert links["s1", "s2"].sent_bps == pytest.approx(4e6, rel=0.1)
    assert links["s1", "s2"].utilisation == pytest.approx(0.4, rel=0.1)
    assert links["s1", "s2"].loss_share == pytest.approx(0.0, abs=0.01)
    assert [pair for pair, link in links.items() if not link.up] == [("s2", "s3"), ("s3", "s2")]
    pairs = {(pair.src, pair.dst): pair for pair in image.pairs}
    assert pairs["h1", "h2"].path == shortest_paths(network())["h1", "h2"]
    assert pairs["h1", "h2"].sent_bps == pytest.approx(4e6, rel=0.1)


def test_a_pair_is_dropped_until_it_is_allowed_again(tmp_path: Path) -> None:
    def done(t_s: float, dropped: bool) -> DropDone:
        times = {"t_s": t_s, "received_s": t_s, "applied_s": t_s}
        return DropDone(request_id="1", src="h1", dst="h2", dropped=dropped, **times)

    lines = [*telemetry(110.0), done(101.0, dropped=True), done(103.0, dropped=False)]
    run_dir = recorded(tmp_path, sorted(lines, key=lambda message: message.t_s))
    for at_s, dropped in ((0.5, set()), (2.0, {("h1", "h2")}), (4.0, set())):
        image = mirrored(run_dir, at_s, runs=False)
        assert {(pair.src, pair.dst) for pair in image.pairs if pair.dropped} == dropped


def test_what_is_not_known_is_none_with_its_age(tmp_path: Path) -> None:
    run_dir = recorded(tmp_path, telemetry(106.0, silent_from_s=103.0))
    image = mirrored(run_dir, None, runs=False)
    assert {pair.sent_bps for pair in image.pairs} == {None}
    assert image.pairs[0].age_s == pytest.approx(3.0, abs=0.01)
    by_name = {switch.name: switch for switch in image.switches}
    assert by_name["s1"].ports_age_s == pytest.approx(0.0, abs=0.01)
    assert by_name["s1"].flows_age_s == pytest.approx(3.0, abs=0.01)
    assert by_name["s3"].ports_age_s is None, "it never said anything"
    links = {(link.sender, link.receiver): link for link in image.links}
    assert links["s3", "s1"].sent_bps == 0.0, "s1 counts what arrives"


def test_the_last_probe_that_came_tells_the_delay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(t_s: float, to_s2: float | None) -> LinkDelays:
        links = LinkDelay("s2", to_s2, 0.1), LinkDelay("s3", None, None)
        return LinkDelays(t_s=t_s, datapath="s1", links=links)

    probes = told(107.0, 1.75), told(108.0, None)
    image = mirrored(recorded(tmp_path, [*telemetry(106.0), *probes]), 9.0, runs=False)
    links = {(link.sender, link.receiver): link for link in image.links}
    assert links["s1", "s2"].configured_delay_ms == 1.0
    assert links["s1", "s2"].measured_delay_ms == 1.75
    assert links["s1", "s2"].delay_age_s == pytest.approx(2.0)
    assert links["s1", "s3"].measured_delay_ms is None
    assert links["s1", "s3"].delay_age_s is None
    assert main(["twin", str(tmp_path), "--at", "9"]) == 0
    assert "1.75" in capsys.readouterr().out


def test_a_split_shows_every_path_with_its_weight(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = (WeightedPath(("s1", "s3", "s2"), 1),)
    split = Routes(t_s=99.0, cause="request", routes=(Route("h1", "h2", ("s1", "s2"), 3, others),))
    before = [message for message in telemetry(99.5) if message.t_s < 99.0]
    run_dir = recorded(tmp_path, [*before, split])
    pairs = {(one.src, one.dst): one for one in mirrored(run_dir, None, runs=False).pairs}
    assert pairs["h1", "h2"].weight == 3
    assert pairs["h1", "h2"].others == others
    assert main(["twin", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "s1 s2 (weight 3)" in shown
    assert "s1 s3 s2 (weight 1)" in shown


def test_an_instant_without_a_mirror_is_refused(tmp_path: Path) -> None:
    run_dir = recorded(tmp_path, telemetry(110.0))
    with pytest.raises(NotMirroredError, match="ask for later"):
        mirrored(run_dir, -50.0, runs=False)
    with pytest.raises(NotMirroredError, match="has not begun"):
        mirrored(recorded(tmp_path, telemetry(99.5), events=()), 1.0, runs=False)


def test_it_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recorded(tmp_path, telemetry(110.0))
    assert main(["twin", str(tmp_path), "--at", "3.9"]) == 0
    said = capsys.readouterr().out
    assert "s1 → s2" in said
    assert "down" in said
    assert main(["twin", str(tmp_path / "nothing")]) == 2


def test_zones_policies_and_meters_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    meter = MeterCounters(
        meter_id=2, packets=70, bytes=7000, dropped_packets=30, dropped_bytes=3000
    )
    told = MeterStats(t_s=101.0, datapath="s1", meters=(meter,))
    run_dir = recorded(tmp_path, [*telemetry(110.0), told])
    zoned = replace(
        network(),
        hosts=tuple(replace(host, zone="lab") for host in network().hosts),
        policies=(
            Policy("h2", "h1", protocol="tcp", port=22, deny=True),
            Policy("h1", "any", limit=RateLimit(5e6, 5e5)),
        ),
    )
    run_dir.write_topology(zoned)
    image = mirrored(run_dir, None, runs=False)
    assert image.zones == {"lab": ("h1", "h2")}
    assert image.policies == zoned.policies
    assert {switch.name: switch.meters for switch in image.switches}["s1"] == (meter,)
    assert main(["twin", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "h2 → h1 tcp port 22: deny" in said
    assert "h1 → any: limit to 5 Mbit/s" in said
    assert "lab: h1, h2" in said
    assert "30" in said
    assert main(["twin", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["policies"][1]["limit"]["rate_bps"] == 5e6

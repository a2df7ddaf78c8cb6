"""Policies as people write them, and what they mean."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from topologies.model import Policy, RateLimit, Topology
from topologies.policies import DSCP, Traffic, deciding, kinds_of_traffic, members
from topologies.schema import load_network

NETWORK = """
name: office
zones: [guests, servers]
switches:
  s1: {zone: guests}
  s2: {zone: servers}
hosts:
  g1: {switch: s1}
  g2: {switch: s1}
  web: {switch: s2}
links:
  - {between: [s1, s2]}
policies:
  - {from: g1, to: any, protocol: udp, port: 5000, action: class, dscp: EF}
  - {from: guests, to: web, protocol: tcp, action: allow}
  - {from: guests, to: servers, action: deny}
  - {from: servers, to: any, action: limit, rate_mbps: 2}
  - {from: any, to: g2, action: limit, rate_mbps: 0.05, burst_kbit: 20}
"""


@pytest.fixture
def office(tmp_path: Path) -> Topology:
    file = tmp_path / "office.yaml"
    file.write_text(NETWORK)
    return load_network(file)


def test_policies_are_read_in_order_and_survive_json(office: Topology) -> None:
    assert office.policies == (
        Policy("g1", "any", "udp", 5000, dscp=46),
        Policy("guests", "web", "tcp"),
        Policy("guests", "servers", deny=True),
        Policy("servers", "any", limit=RateLimit(2e6, 200e3)),
        Policy("any", "g2", limit=RateLimit(50e3, 20e3)),
    )
    assert msgspec.json.decode(msgspec.json.encode(office), type=Topology) == office


def test_a_name_is_a_host_a_zone_or_any(office: Topology) -> None:
    assert members(office, "web") == {"web"}
    assert members(office, "guests") == {"g1", "g2"}
    assert members(office, "any") == {"g1", "g2", "web"}


@pytest.mark.parametrize(
    ("pair", "traffic", "number"),
    [
        (("g1", "web"), Traffic("udp", 5000), 1),
        (("g1", "g2"), Traffic("udp", 5000), 1),
        (("g2", "web"), Traffic("udp", 5000), 3),
        (("g2", "web"), Traffic("tcp", 443), 2),
        (("g1", "web"), Traffic("icmp"), 3),
        (("web", "g2"), Traffic(), 4),
        (("g1", "g2"), Traffic(), 5),
        (("g2", "g1"), Traffic(), None),
    ],
)
def test_the_first_policy_that_matches_decides(
    office: Topology, pair: tuple[str, str], traffic: Traffic, number: int | None
) -> None:
    expected = None if number is None else office.policies[number - 1]
    assert deciding(office, pair, traffic) == expected


def test_what_policies_tell_apart(office: Topology) -> None:
    assert kinds_of_traffic(office) == (
        Traffic(),
        Traffic("udp"),
        Traffic("tcp"),
        Traffic("udp", 5000),
    )


def test_code_points_are_those_of_the_standards() -> None:
    assert [DSCP[name] for name in ("best-effort", "AF11", "AF23", "AF41", "EF")] == [
        *(0, 10, 22, 34),
        46,
    ]

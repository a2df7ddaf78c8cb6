"""What FRR's daemons are told, and what their answers mean."""

from __future__ import annotations

import msgspec
import pytest

from testbed.frr import (
    RouterSettings,
    adjacent,
    configuration,
    watched,
    with_root_in,
)

ROUTER = RouterSettings("s1", "10.255.0.1", {"s1-eth1": 200, "s1-eth2": 7}, ["s1-eth3"], 50)


def section(text: str, head: str) -> list[str]:
    """The lines under a line of a configuration."""
    lines = text.splitlines()
    rest = lines[lines.index(head) + 1 :]
    end = next((n for n, line in enumerate(rest) if not line.startswith(" ")), len(rest))
    return [line.strip() for line in rest[:end]]


def test_every_core_interface_has_its_cost_and_bfd() -> None:
    ospf = configuration(ROUTER)["ospfd"]
    for interface, cost in ROUTER.costs.items():
        told = section(ospf, f"interface {interface}")
        assert f"ip ospf cost {cost}" in told
        assert "ip ospf bfd profile lab" in told
        assert "ip ospf passive" not in told
    bfd = section(configuration(ROUTER)["bfdd"], "bfd")
    assert bfd[0] == "profile lab"
    assert {"detect-multiplier 3", "transmit-interval 50", "receive-interval 50"} <= set(bfd)


def test_no_neighbour_is_looked_for_among_the_hosts() -> None:
    told = section(configuration(ROUTER)["ospfd"], "interface s1-eth3")
    assert "ip ospf passive" in told
    assert not any("bfd" in line for line in told)


NEIGHBOURS = b"""
{"neighbors": {
  "10.255.0.2": [{"state": "Full\\/-", "nbrState": "Full\\/-", "ifaceName": "s1-eth1:10.255.0.1"}],
  "10.255.0.3": [{"state": "Init\\/-", "nbrState": "Init\\/-", "ifaceName": "s1-eth2:10.255.0.1"}]
}}
"""
PEERS = b"""
[{"multihop": false, "peer": "10.255.0.2", "interface": "s1-eth1", "status": "up"},
 {"multihop": false, "peer": "10.255.0.3", "interface": "s1-eth2", "status": "down"}]
"""


def test_only_full_adjacencies_and_sessions_that_are_up_count() -> None:
    assert adjacent(NEIGHBOURS) == {"s1-eth1"}
    assert watched(PEERS) == {"s1-eth1"}
    assert adjacent(b'{"neighbors": {}}') == watched(b"[]") == frozenset()


def test_an_answer_of_another_kind_is_an_error() -> None:
    with pytest.raises(msgspec.DecodeError):
        adjacent(b"% Unknown command")
    with pytest.raises(msgspec.DecodeError):
        watched(b'{"peers": []}')


@pytest.mark.parametrize("before", ["", "frrvty:x:115:frr\n"])
def test_root_is_in_the_group_of_the_sockets(before: str) -> None:
    groups = with_root_in("frrvty", f"root:x:0:\n{before}adm:x:4:me\n").splitlines()
    assert groups == ["root:x:0:", "adm:x:4:me", "frrvty:x:0:root"]

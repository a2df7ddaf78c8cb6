"""Where the tree's root is, and what Open vSwitch says of the ports."""

from __future__ import annotations

import json

import pytest

from testbed.links.backend import LinkError
from testbed.spanning_tree import TreePort, root_bridge, tree_ports
from topologies.catalogue import load_topology


def test_the_root_is_in_the_middle() -> None:
    assert root_bridge(load_topology("topohub:sndlib/abilene"), "delay") == "s6"


def test_ports_of_the_tree_are_read_and_no_others() -> None:
    status = [
        ["rstp_port_id", "8.001"],
        ["rstp_port_role", "Alternate"],
        ["rstp_port_state", "Discarding"],
    ]
    listing = {
        "headings": ["name", "rstp_status"],
        "data": [["s1-eth1", ["map", status]], ["s1", ["map", []]]],
    }
    found = tree_ports(json.dumps(listing).encode())
    assert found == {"s1-eth1": TreePort("Alternate", "Discarding")}
    assert found["s1-eth1"].is_final
    assert not found["s1-eth1"].forwards
    assert not TreePort("Designated", "Learning").is_final
    with pytest.raises(LinkError):
        tree_ports(b"ovs-vsctl: unix:db.sock: database connection failed")

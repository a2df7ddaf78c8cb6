"""What ovs-ofctl prints, read back as what was installed."""

from __future__ import annotations

import pytest

from controller.dumped_tables import DumpError, entries_of, groups_of
from controller.flow_entries import LABELS, TO_CONTROLLER
from controller.groups import Bucket, Group

FLOWS = """\
 cookie=0x7477070000000000, priority=250,dl_vlan=33 actions=output:4
 cookie=0x7477070000000000, priority=250,dl_vlan=32 actions=pop_vlan,load:0->NXM_OF_IN_PORT[],goto_table:1
 cookie=0x74770342c0000001, priority=200,ip,nw_src=10.0.0.1,nw_dst=10.0.0.2 actions=set_field:06:42:c0:00:00:01->eth_dst,group:7
 cookie=0x7477020000000000, priority=300,arp actions=CONTROLLER:65535
 cookie=0x7477010000000000, priority=0 actions=goto_table:1
 cookie=0x7477050000000000, table=1, priority=100,dl_dst=06:42:c0:00:00:02 actions=set_field:02:00:00:00:00:01->eth_dst,output:1
 cookie=0x7477010000000000, table=1, priority=0 actions=drop
"""  # noqa: E501 (as it is printed)
GROUPS = """\
OFPST_GROUP_DESC reply (OF1.3) (xid=0x2):
 group_id=1,type=ff,bucket=watch_port:4,actions=output:4,bucket=watch_port:3,actions=load:0->NXM_OF_IN_PORT[],push_vlan:0x8100,set_field:4105->vlan_vid,output:3
 group_id=2,type=ff,bucket=watch_port:3,actions=load:0->NXM_OF_IN_PORT[],push_vlan:0x8100,set_field:4106->vlan_vid,output:3
"""


def test_flows_are_read_as_entries() -> None:
    tag, end, ingress, arp, miss, egress, drop = entries_of("s1", FLOWS)
    assert (tag.match, tag.output, tag.priority) == (frozenset({("vlan_vid", 0x1021)}), 4, 250)
    assert (end.pop_vlan, end.output, end.goto) == (True, None, LABELS)
    assert ingress.match == {
        ("eth_type", 0x0800),
        ("ipv4_src", "10.0.0.1"),
        ("ipv4_dst", "10.0.0.2"),
    }
    assert (ingress.set_eth_dst, ingress.group) == ("06:42:c0:00:00:01", 7)
    assert (arp.match, arp.output) == (frozenset({("eth_type", 0x0806)}), TO_CONTROLLER)
    assert (miss.match, miss.goto) == (frozenset(), LABELS)
    assert (egress.table, egress.match) == (LABELS, frozenset({("eth_dst", "06:42:c0:00:00:02")}))
    assert (drop.table, drop.output, drop.group, drop.goto) == (LABELS, None, None, None)


def test_probes_are_read_with_their_port() -> None:
    line = (
        " priority=240,in_port=3,dl_dst=01:80:c2:00:00:0e,dl_type=0x88cc actions=CONTROLLER:65535"
    )
    (probe,) = entries_of("s1", line)
    assert probe.match == {
        ("in_port", 3),
        ("eth_dst", "01:80:c2:00:00:0e"),
        ("eth_type", 0x88CC),
    }


def test_counters_are_passed_over() -> None:
    counted = "duration=31.2s, table=0, n_packets=12, n_bytes=1176, priority"
    assert next(entries_of("s1", FLOWS.replace("priority", counted, 1))) == next(
        entries_of("s1", FLOWS)
    )


def test_groups_are_read_with_their_buckets() -> None:
    assert list(groups_of("s1", GROUPS)) == [
        Group("s1", 1, (Bucket(4), Bucket(3, push=9))),
        Group("s1", 2, (Bucket(3, push=10),)),
    ]


def test_what_nobody_of_us_installed_is_named() -> None:
    with pytest.raises(DumpError, match="s2: tcp in: priority=7,tcp,tp_dst=80"):
        list(entries_of("s2", " priority=7,tcp,tp_dst=80 actions=drop"))
    with pytest.raises(DumpError, match="type=select"):
        list(groups_of("s2", " group_id=1,type=select,bucket=actions=output:1"))

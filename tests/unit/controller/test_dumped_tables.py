"""What ovs-ofctl prints, read back as what was installed."""

from __future__ import annotations

import pytest

from controller.dumped_tables import DumpError, entries_of, groups_of, meters_of
from controller.flow_entries import LABELS, ROUTES, TO_CONTROLLER, Kind
from controller.groups import Bucket, Group
from controller.meters import Meter

FLOWS = """\
 cookie=0x7477070000000000, priority=250,dl_vlan=33 actions=output:4
 cookie=0x7477070000000000, priority=250,dl_vlan=32 actions=pop_vlan,load:0->NXM_OF_IN_PORT[],goto_table:3
 cookie=0x74770342c0000001, table=2, priority=200,in_port=1,dl_dst=02:00:00:00:00:02 actions=set_field:06:42:c0:00:00:01->eth_dst,group:7
 cookie=0x7477020000000000, priority=300,arp actions=CONTROLLER:65535
 cookie=0x7477010000000000, priority=0 actions=goto_table:3
 cookie=0x7477050000000000, table=3, priority=100,dl_dst=06:42:c0:00:00:02 actions=set_field:02:00:00:00:00:01->eth_dst,output:1
 cookie=0x7477010000000000, table=3, priority=0 actions=drop
"""  # noqa: E501 (as it is printed)
POLICIES = """\
 cookie=0x7477080000000000, priority=270,ip,in_port=1,vlan_tci=0x0000/0x1fff,nw_src=10.0.0.1 actions=goto_table:1
 cookie=0x7477080000000000, priority=271,ipv6,in_port=1,vlan_tci=0x0000/0x1fff,ipv6_src=fd00::1,nw_tos=192 actions=set_field:0->ip_dscp,goto_table:1
 cookie=0x74770a0000000003, table=1, priority=49997,udp6,in_port=1,dl_dst=02:00:00:00:00:02,tp_dst=53 actions=meter:3,set_field:46->ip_dscp,goto_table:2
 cookie=0x74770a0000000004, table=1, priority=49996,icmp actions=drop
"""  # noqa: E501 (as it is printed)
METERS = """\
OFPST_METER_CONFIG reply (OF1.3) (xid=0x2):
meter=1 kbps burst stats bands=
type=drop rate=2000 burst_size=200

meter=3 kbps burst stats bands=
type=drop rate=50 burst_size=20
"""
GROUPS = """\
OFPST_GROUP_DESC reply (OF1.3) (xid=0x2):
 group_id=1,type=ff,bucket=watch_port:4,actions=output:4,bucket=watch_port:3,actions=load:0->NXM_OF_IN_PORT[],push_vlan:0x8100,set_field:4105->vlan_vid,output:3
 group_id=2,type=ff,bucket=watch_port:3,actions=load:0->NXM_OF_IN_PORT[],push_vlan:0x8100,set_field:4106->vlan_vid,output:3
"""

SPLIT = """\
 cookie=0x74770342c0000001, table=2, priority=200,in_port=1,dl_dst=02:00:00:00:00:02 actions=set_field:06:42:c0:00:00:01->eth_dst,multipath(symmetric_l3l4+udp,0,modulo_n,4,0,NXM_NX_REG0[]),goto_table:3
 cookie=0x74770b42c0000001, table=3, priority=100,reg0=0x2,dl_dst=06:42:c0:00:00:01 actions=set_field:06:42:c0:00:00:02->eth_dst,output:3
 table=2, priority=204,udp,in_port=1,dl_dst=02:00:00:00:00:02,tp_src=4000,tp_dst=5001 actions=group:7
"""  # noqa: E501


def test_flows_are_read_as_entries() -> None:
    tag, end, ingress, arp, miss, egress, drop = entries_of("s1", FLOWS)
    assert (tag.match, tag.output, tag.priority) == (frozenset({("vlan_vid", 0x1021)}), 4, 250)
    assert (end.pop_vlan, end.output, end.goto) == (True, None, LABELS)
    assert ingress.match == {("in_port", 1), ("eth_dst", "02:00:00:00:00:02")}
    assert ingress.table == ROUTES
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


def test_admission_and_policies_are_read_as_entries() -> None:
    own, reserved, mark, deny = entries_of("s1", POLICIES)
    untagged = ("vlan_vid", 0)
    assert own.match == {("in_port", 1), untagged, ("eth_type", 0x0800), ("ipv4_src", "10.0.0.1")}
    assert reserved.match == {
        *(("in_port", 1), untagged, ("eth_type", 0x86DD)),
        *(("ipv6_src", "fd00::1"), ("ip_dscp", 48)),
    }
    assert (reserved.set_ip_dscp, reserved.goto) == (0, 1)
    assert mark.match == {
        *(("in_port", 1), ("eth_dst", "02:00:00:00:00:02"), ("eth_type", 0x86DD)),
        *(("ip_proto", 17), ("udp_dst", 53)),
    }
    assert (mark.meter, mark.set_ip_dscp, mark.goto, mark.label) == (3, 46, 2, 3)
    assert deny.match == {("eth_type", 0x0800), ("ip_proto", 1)}
    assert (deny.kind, deny.label, deny.goto) == (Kind.POLICY, 4, None)


def test_meters_are_read() -> None:
    assert list(meters_of("s1", METERS)) == [Meter("s1", 1, 2000, 200), Meter("s1", 3, 50, 20)]
    assert list(meters_of("s1", METERS.splitlines()[0])) == []
    with pytest.raises(DumpError, match="pktps"):
        list(meters_of("s1", METERS.replace("kbps", "pktps")))


def test_splits_and_flows_are_read() -> None:
    ingress, branch, flow = entries_of("s1", SPLIT)
    assert (ingress.set_eth_dst, ingress.spread, ingress.goto) == ("06:42:c0:00:00:01", 4, 3)
    assert branch.match == {("eth_dst", "06:42:c0:00:00:01"), ("reg0", 2)}
    assert (branch.kind, branch.set_eth_dst) == (Kind.BRANCH, "06:42:c0:00:00:02")
    assert flow.match == {
        *(("eth_type", 0x0800), ("in_port", 1), ("eth_dst", "02:00:00:00:00:02")),
        *(("ip_proto", 17), ("udp_src", 4000), ("udp_dst", 5001)),
    }


def test_groups_are_read_with_their_buckets() -> None:
    assert list(groups_of("s1", GROUPS)) == [
        Group("s1", 1, (Bucket(4), Bucket(3, push=9))),
        Group("s1", 2, (Bucket(3, push=10),)),
    ]


@pytest.mark.parametrize(
    "actions",
    [
        *("NORMAL", "FLOOD", "IN_PORT", "LOCAL", "output:LOCAL", "output:1,output:2"),
        *("output:1,NORMAL", "output:1,goto_table:3", "group:1,output:1", "pop_vlan,goto_table:3"),
        *("load:0->NXM_OF_IN_PORT[],goto_table:3", "CONTROLLER:128", "dec_ttl,output:1"),
        *("output:1,set_field:06:42:c0:00:00:01->eth_dst", "drop,output:1", "output:1x"),
        "multipath(eth_src,50,modulo_n,4,0,NXM_NX_REG0[]),goto_table:3",
        "clear_actions",
    ],
)
def test_what_none_of_our_entries_does_is_named(actions: str) -> None:
    with pytest.raises(DumpError, match="s2: "):
        list(entries_of("s2", f" priority=7,in_port=1 actions={actions}"))


@pytest.mark.parametrize(
    "match",
    [
        *("in_port=LOCAL", "dl_dst=01:00:00:00:00:00/01:00:00:00:00:00", "ip,nw_src=10.0.0.0/8"),
        *("idle_timeout=5", "send_flow_rem", "vlan_tci=0x1000/0x1000", "udp,tp_dst=0x10/0xfff0"),
    ],
)
def test_what_none_of_our_entries_matches_is_named(match: str) -> None:
    with pytest.raises(DumpError, match=r"s2: .* in: "):
        list(entries_of("s2", f" priority=7,{match} actions=output:1"))


def test_a_priority_that_is_not_printed_is_the_default() -> None:
    (entry,) = entries_of("s2", " in_port=1 actions=output:2")
    assert entry.priority == 0x8000


TAG = "load:0->NXM_OF_IN_PORT[],push_vlan:0x8100,set_field:4105->vlan_vid"


@pytest.mark.parametrize(
    "bucket",
    [
        "watch_port:4,actions=output:3",  # sends by another port than it watches
        "watch_port:4,actions=drop",
        "watch_port:4,actions=output:4,output:3",
        "watch_port:4,actions=NORMAL",
        "watch_group:2,actions=output:4",
        f"watch_port:4,actions={TAG.removeprefix('load:0->NXM_OF_IN_PORT[],')},output:4",
        f"watch_port:4,actions={TAG}",
        f"watch_port:4,actions=output:4,{TAG}",
    ],
)
def test_buckets_that_are_none_of_ours_are_named(bucket: str) -> None:
    good = f"watch_port:3,actions={TAG},output:3"
    assert list(groups_of("s2", f" group_id=1,type=ff,bucket={good}"))
    with pytest.raises(DumpError, match="s2: group_id=1"):
        list(groups_of("s2", f" group_id=1,type=ff,bucket={good},bucket={bucket}"))


def test_what_nobody_of_us_installed_is_named() -> None:
    with pytest.raises(DumpError, match="s2: icmp_type in: priority=7,icmp,icmp_type=8"):
        list(entries_of("s2", " priority=7,icmp,icmp_type=8 actions=drop"))
    with pytest.raises(DumpError, match="type=select"):
        list(groups_of("s2", " group_id=1,type=select,bucket=actions=output:1"))

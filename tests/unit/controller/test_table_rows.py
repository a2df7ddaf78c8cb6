"""Dumps as rows for people: nothing that a switch prints may be lost or make it fail."""

from __future__ import annotations

from fake_network import ring

from controller.flow_entries import Kind, base_entries, kind_of
from controller.table_rows import flow_rows, group_rows, label_pairs
from topologies.addressing import address

ADDRESSING = address(ring(4))
PORT = ADDRESSING.port["s0", "s1"]
ACCESS, H2 = ADDRESSING.port["s0", "h0"], ADDRESSING.mac["h2"]
LABEL = "06:42:c0:00:00:01"
INGRESS = (
    f" cookie=0x74770342c0000001, duration=31.2s, table=2, n_packets=12, n_bytes=1176, "
    f"priority=200,in_port={ACCESS},dl_dst={H2} actions=set_field:{LABEL}->eth_dst,output:{PORT}\n"
)
TRANSIT = (
    f" cookie=0x74770442c0000001, duration=31.2s, table=3, n_packets=11, n_bytes=1078, "
    f"priority=100,dl_dst={LABEL} actions=group:1\n"
)
MISS = " cookie=0x7477010000000000, priority=0 actions=drop\n"
FOREIGN = (
    " cookie=0x0, duration=1s, table=0, n_packets=0, n_bytes=0, tcp,tp_dst=80 actions=NORMAL\n"
)


def test_an_entry_says_what_it_is_for_and_whose_packets_it_carries() -> None:
    labels = label_pairs(ADDRESSING, {"s0": INGRESS, "s1": TRANSIT})
    foreign, miss, ingress, transit = flow_rows(
        ADDRESSING, "s0", MISS + TRANSIT + INGRESS + FOREIGN, labels
    )
    assert (ingress.kind, ingress.pair) == ("ingress", ("h0", "h2"))
    assert (ingress.packets, ingress.bytes) == (12, 1176)
    assert ingress.match == f"in_port={ACCESS}(h0),dl_dst={H2}"
    assert ingress.actions.endswith(f"output:{PORT}(s1)")
    assert (transit.kind, transit.pair, transit.actions) == ("transit", ("h0", "h2"), "group:1")
    assert (miss.table, miss.priority, miss.match, miss.packets) == (0, 0, "", None)
    assert (foreign.kind, foreign.match, foreign.priority) == ("", "tcp,tp_dst=80", 32768)


def test_the_labels_of_a_split_stand_for_its_pair() -> None:
    of_branch = LABEL[:-1] + "2"
    split = INGRESS.replace(
        f"output:{PORT}", "multipath(l4,0,modulo_n,2,0,NXM_NX_REG0[]),goto_table:3"
    )
    branch = (
        " cookie=0x74770b42c0000001, table=3, priority=100,"
        f"reg0=0x1,dl_dst={LABEL} actions=set_field:{of_branch}->eth_dst,output:{PORT}\n"
    )
    labels = label_pairs(ADDRESSING, {"s1": TRANSIT, "s0": branch + split})
    assert labels == {LABEL: ("h0", "h2"), of_branch: ("h0", "h2")}
    assert flow_rows(ADDRESSING, "s0", branch, labels)[0].kind == "branch"


def test_pairs_that_share_a_label_are_from_anyone() -> None:
    other = INGRESS.replace(f"in_port={ACCESS}", f"in_port={ADDRESSING.port['s1', 'h1']}")
    labels = label_pairs(ADDRESSING, {"s0": INGRESS, "s1": TRANSIT + other})
    assert labels == {LABEL: ("any", "h2")}


def test_a_group_has_its_counters_where_they_are_known() -> None:
    dump = (
        "OFPST_GROUP_DESC reply (OF1.3) (xid=0x2):\n"
        f" group_id=2,type=ff,bucket=watch_port:{PORT},actions=output:{PORT}\n"
        f" group_id=1,type=ff,bucket=watch_port:{PORT},actions=output:{PORT}\n"
    )
    counters = (
        " group_id=1,duration=3.1s,ref_count=2,packet_count=7,byte_count=700,"
        "bucket0:packet_count=5,byte_count=500,bucket1:packet_count=2,byte_count=200\n"
    )
    one, two = group_rows(ADDRESSING, "s0", dump, counters)
    assert (one.group_id, one.kind, one.packets, one.bytes) == (1, "ff", 7, 700)
    assert one.bucket_packets == (5, 2)
    assert one.buckets == f"bucket=watch_port:{PORT}(s1),actions=output:{PORT}(s1)"
    assert (two.packets, two.bucket_packets) == (None, ())


def test_the_kind_of_an_entry_stands_in_its_cookie() -> None:
    kinds = {kind_of(entry.cookie) for entry in base_entries(ADDRESSING)}
    assert {Kind.MISS, Kind.ARP} <= kinds
    assert None not in kinds
    assert kind_of(0) is None
    assert kind_of(0x7477FF << 40) is None

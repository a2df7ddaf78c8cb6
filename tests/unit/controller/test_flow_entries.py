from __future__ import annotations

import pytest
from fake_network import FakeNetwork, make_topology, ring
from hypothesis import given
from hypothesis import strategies as st

from controller.flow_entries import (
    INGRESS,
    LABELS,
    OURS,
    ROUTES,
    TO_CONTROLLER,
    Kind,
    base_entries,
    drop_entry,
    kind_of,
    route_entries,
)
from controller.flow_table import FlowTables, put, remove
from controller.forwarding import LostError
from controller.labels import Labels, label_mac
from controller.standing_entries import standing_entries
from topologies.addressing import address


def test_labels_are_distinct_locally_administered_unicast_addresses() -> None:
    labels = Labels()
    macs = [label_mac(labels.fresh()) for _ in range(1000)]
    assert len(set(macs)) == 1000
    hosts = set(address(ring(9)).mac.values())
    for mac in macs:
        first = int(mac[:2], 16)
        assert first & 0b11 == 0b10
        assert len(mac.split(":")) == 6
    assert hosts.isdisjoint(macs)


def test_labels_of_two_controllers_differ() -> None:
    assert Labels(epoch=1).fresh() != Labels(epoch=2).fresh()


@given(st.integers(3, 8), st.data())
def test_packets_follow_the_path_of_their_route(size: int, data: st.DataObject) -> None:
    network = FakeNetwork(ring(size))
    source, target = data.draw(
        st.lists(st.integers(0, size - 1), min_size=2, max_size=2, unique=True)
    )
    step = data.draw(st.sampled_from([1, -1]))
    path, here = [source], source
    while here != target:
        here = (here + step) % size
        path.append(here)
    names = tuple(f"s{i}" for i in path)
    pair = (f"h{source}", f"h{target}")
    entries = route_entries(network.addressing, pair, names, Labels().fresh())
    network.commit(put(standing_entries(network.topology, network.addressing)))
    network.commit(put([entries.ingress, *entries.behind]))
    assert network.walk(pair) == names
    with pytest.raises(LostError):
        network.walk((pair[1], pair[0]))


def test_entries_behind_the_ingress_start_at_the_egress() -> None:
    entries = route_entries(address(ring(5)), ("h0", "h3"), ("s0", "s1", "s2", "s3"), 1)
    assert [entry.switch for entry in entries.behind] == ["s3", "s2", "s1"]
    assert entries.ingress.switch == "s0"


def test_two_hosts_on_one_switch_need_one_entry() -> None:
    network = FakeNetwork(make_topology([("s1", "s2")], {"a": "s1", "b": "s1"}))
    entries = route_entries(network.addressing, ("a", "b"), ("s1",), 1)
    assert entries.behind == ()
    network.commit(put(standing_entries(network.topology, network.addressing)))
    network.commit(put([entries.ingress]))
    assert network.walk(("a", "b")) == ("s1",)


def test_cookie_filters_select_ours_and_ingress_entries() -> None:
    addressing = address(ring(4))
    entries = route_entries(addressing, ("h0", "h2"), ("s0", "s1", "s2"), (1 << 40) - 1)
    others = [
        *entries.behind,
        *base_entries(addressing),
        drop_entry(addressing, ("h0", "h2"), "s0"),
    ]
    assert entries.ingress.cookie & INGRESS.mask == INGRESS.cookie
    for entry in others:
        assert entry.cookie & INGRESS.mask != INGRESS.cookie
    for entry in [entries.ingress, *others]:
        assert entry.cookie & OURS.mask == OURS.cookie
        assert entry.cookie < 1 << 64


def test_every_switch_drops_misses_and_hands_arp_to_the_controller() -> None:
    network = FakeNetwork(ring(3))
    network.commit(put(base_entries(network.addressing)))
    for switch in ("s0", "s1", "s2"):
        entries = [e for e in network.tables[switch].of(switch) if kind_of(e.cookie) != Kind.PROBE]
        ordered = sorted(entries, key=lambda e: (e.table, e.priority))
        assert [entry.output for entry in ordered] == [None, TO_CONTROLLER, None, None]
        assert [entry.goto for entry in ordered] == [LABELS, None, ROUTES, None]
    with pytest.raises(LostError):
        network.walk(("h0", "h1"))


def test_probes_are_handed_to_the_controller_from_core_ports_only() -> None:
    addressing = address(ring(3))
    probes = [e for e in base_entries(addressing) if kind_of(e.cookie) == Kind.PROBE]
    assert all(entry.output == TO_CONTROLLER for entry in probes)
    ports = {(entry.switch, dict(entry.match)["in_port"]) for entry in probes}
    assert ports == {(a, addressing.port[a, b]) for a, b in ring(3).core_directions}


def test_a_drop_entry_goes_before_the_route() -> None:
    network = FakeNetwork(ring(3))
    pair = ("h0", "h1")
    entries = route_entries(network.addressing, pair, ("s0", "s1"), 7)
    drop = drop_entry(network.addressing, pair, "s0")
    network.commit(put(standing_entries(network.topology, network.addressing)))
    network.commit(put([entries.ingress, *entries.behind, drop]))
    with pytest.raises(LostError):
        network.walk(pair)
    network.commit(remove([drop]))
    assert network.walk(pair) == ("s0", "s1")


def test_flow_tables_replace_by_key_and_name_the_surplus() -> None:
    addressing = address(ring(4))
    old = route_entries(addressing, ("h0", "h1"), ("s0", "s1"), 1)
    new = route_entries(addressing, ("h0", "h1"), ("s0", "s3", "s2", "s1"), 2)
    tables = FlowTables([old.ingress, *old.behind])
    tables.apply(put([new.ingress, *new.behind]))
    assert tables.of("s0") == (new.ingress,)
    tables.apply(remove(old.behind))
    tables.apply(remove(old.behind))
    assert tables.of("s1") == (new.behind[0],)
    assert tables.surplus("s1", [*old.behind, new.behind[0]]) == list(old.behind)

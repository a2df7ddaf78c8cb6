"""Policies as entries and meters, on packets that walk through them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fake_network import make_topology, ring
from hypothesis import given
from hypothesis import strategies as st

from controller.flow_entries import ETH_TYPE_IPV4, ETH_TYPE_IPV6, drop_entry, route_entries
from controller.forwarding import DeniedError, Forwarding, LostError
from controller.labels import Labels
from controller.meters import Meter, MeterChange, missing
from controller.policies import highest_meters, policy_entries, policy_meters
from controller.standing_entries import standing_entries
from controller.verification import verify
from topologies.addressing import address
from topologies.model import Policy, RateLimit, Topology
from topologies.paths import shortest_paths
from topologies.policies import Traffic, deciding

LIMIT = RateLimit(2e6, 200e3)


def zoned(*policies: Policy) -> Topology:
    """Hosts a and b on s0, c on s1, d on s2; s0 and s1 are in zone x."""
    plain = make_topology(
        [("s0", "s1"), ("s1", "s2")], {"a": "s0", "b": "s0", "c": "s1", "d": "s2"}
    )
    zones = {"s0": "x", "s1": "x", "s2": "y"}
    return replace(
        plain,
        switches=tuple(replace(s, zone=zones[s.name]) for s in plain.switches),
        hosts=tuple(replace(h, zone=zones[h.switch]) for h in plain.hosts),
        policies=policies,
    )


def programmed(topology: Topology) -> Forwarding:
    addressing, labels = address(topology), Labels()
    entries = list(standing_entries(topology, addressing))
    for pair, path in shortest_paths(topology).items():
        route = route_entries(addressing, pair, path, labels.fresh())
        entries += [route.ingress, *route.behind]
    return Forwarding(topology, entries, meters=policy_meters(topology))


ENDS = st.sampled_from(["a", "b", "c", "d", "x", "y", "any"])
ACTIONS = st.sampled_from(
    [{}, {"deny": True}, {"limit": LIMIT}, {"dscp": 46}, {"limit": LIMIT, "dscp": 10}]
)
TRAFFIC = st.sampled_from(
    [Traffic(), Traffic("icmp"), *(Traffic(p, n) for p in ("tcp", "udp") for n in (None, 53, 80))]
)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    about = draw(TRAFFIC)
    return Policy(draw(ENDS), draw(ENDS), about.protocol, about.port, **draw(ACTIONS))


@given(st.lists(policies(), max_size=6), TRAFFIC, st.sampled_from([ETH_TYPE_IPV4, ETH_TYPE_IPV6]))
def test_entries_decide_as_the_plain_reading_does(
    written: list[Policy], traffic: Traffic, eth_type: int
) -> None:
    topology = zoned(*written)
    forwarding = programmed(topology)
    for pair in topology.od_pairs:
        policy = deciding(topology, pair, traffic)
        packet = forwarding.enter(pair, traffic, eth_type)
        if policy is not None and policy.deny:
            with pytest.raises(DeniedError):
                forwarding.step(packet)
            continue
        assert forwarding.walk(pair, traffic=traffic, eth_type=eth_type)[0] == packet.at
        onward = forwarding.step(packet)
        if onward is None:  # both hosts are on one switch
            continue
        assert onward.dscp == (policy.dscp if policy and policy.dscp else 0)
        limits = {(meter.rate_kbps, meter.burst_kbit) for meter in onward.meters}
        assert limits == ({(2000, 200)} if policy and policy.limit else set())


def test_a_limit_has_one_meter_in_each_switch_where_sources_are() -> None:
    topology = zoned(Policy("d", "a"), Policy("x", "y", limit=LIMIT))
    assert list(policy_meters(topology)) == [Meter("s0", 2, 2000, 200), Meter("s1", 2, 2000, 200)]


def test_policies_need_few_entries() -> None:
    def count(*written: Policy) -> int:
        topology = zoned(*written)
        return len(list(policy_entries(topology, address(topology))))

    assert count(Policy("any", "any", deny=True)) == 3  # one in each switch that has hosts
    assert count(Policy("x", "d", deny=True)) == 3  # a, b and c
    assert count(Policy("a", "x", "udp", 53)) == 2 * 3  # IPv4 and IPv6


def test_a_requested_drop_goes_before_every_policy() -> None:
    topology = zoned(Policy("any", "any", limit=LIMIT))
    addressing = address(topology)
    entries = [*standing_entries(topology, addressing), drop_entry(addressing, ("a", "d"), "s0")]
    packet = (forwarding := Forwarding(topology, entries)).enter(("a", "d"))
    with pytest.raises(LostError, match="s0 drops it"):  # it never asks for the meter
        forwarding.step(packet)


@pytest.mark.parametrize("eth_type", [ETH_TYPE_IPV4, ETH_TYPE_IPV6])
def test_a_forged_source_does_not_enter(eth_type: int) -> None:
    topology = zoned()
    forwarding, port = programmed(topology), address(topology).port
    packet = forwarding.enter(("a", "d"), eth_type=eth_type)
    assert forwarding.step(packet) is not None
    with pytest.raises(LostError, match="s0 drops it"):
        forwarding.step(replace(packet, in_port=port["s0", "b"]))


def test_neither_labels_nor_tags_enter_from_a_host() -> None:
    topology = ring(3)
    addressing = address(topology)
    route = route_entries(addressing, ("h1", "h0"), ("s1", "s0"), 7)
    entries = [*standing_entries(topology, addressing), route.ingress, *route.behind]
    forwarding = Forwarding(topology, entries)
    assert forwarding.walk(("h1", "h0")) == ("s1", "s0")
    packet = forwarding.enter(("h1", "h0"))
    for forged in (replace(packet, at="s0", in_port=1), replace(packet, tag=5)):
        with pytest.raises(LostError, match="drops it"):
            forwarding.step(forged)


def test_network_control_is_not_for_hosts() -> None:
    forwarding = programmed(zoned())
    for dscp, then in ((48, 0), (56, 0), (46, 46)):
        packet = replace(forwarding.enter(("a", "d")), dscp=dscp)
        onward = forwarding.step(packet)
        assert onward is not None
        assert onward.dscp == then


def test_the_checker_takes_what_is_denied_for_right_and_what_is_not_denied_for_wrong() -> None:
    denying = zoned(Policy("x", "y", "tcp", 80, deny=True), Policy("d", "a", deny=True))
    addressing, labels = address(denying), Labels()
    routes = [
        entry
        for pair, path in shortest_paths(denying).items()
        for route in [route_entries(addressing, pair, path, labels.fresh())]
        for entry in (route.ingress, *route.behind)
    ]
    entries = [*standing_entries(denying, addressing), *routes]
    verified = verify(denying, entries, (), failing=False)
    assert verified.breaches == ()
    # Three kinds of traffic over two IP versions: three pairs in one of them, one pair in all.
    assert verified.denied == 2 * 3 + 2 * 3
    without = verify(denying, [*standing_entries(zoned(), addressing), *routes], (), failing=False)
    assert {breach.reason for breach in without.breaches} == {"it arrives, but a policy denies it"}
    assert len(without.breaches) == 12
    wrong = verify(zoned(), entries, (), failing=False)
    assert {breach.reason for breach in wrong.breaches} == {"policy 2 denies it"}


def test_an_entry_without_its_meter_is_found() -> None:
    topology = zoned(Policy("a", "d", limit=LIMIT))
    entries = standing_entries(topology, address(topology))
    forwarding = Forwarding(topology, entries)
    with pytest.raises(LostError, match="s0 has no meter 1"):
        forwarding.step(forwarding.enter(("a", "d")))


def test_meters_are_brought_up_to_date_by_as_little_as_needed() -> None:
    one, two = Meter("s", 1, 100, 20), Meter("s", 2, 100, 20)
    assert missing([one, two], [one, two]) == []
    assert missing([one, two], [replace(one, rate_kbps=5)]) == [
        MeterChange(one, modify=True),
        MeterChange(two),
    ]


def test_a_switch_has_to_offer_as_many_meters_as_the_highest_number_of_one() -> None:
    limits = [Policy("a", "any", limit=LIMIT), Policy("x", "d"), Policy("x", "any", limit=LIMIT)]
    assert highest_meters(zoned(*limits)) == {"s0": 3, "s1": 3}
    assert highest_meters(zoned(*limits[:2])) == {"s0": 1}

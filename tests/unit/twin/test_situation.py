from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_networks import demand, square, wheel

from topologies.model import Link, LinkShape, Policy, RateLimit, Switch, Topology
from topologies.paths import shortest_paths
from twin.situation import Attack, Scenario, Situation, after, all_failures


def situation(topology: Topology, **rates_mbps: float) -> Situation:
    return Situation(topology, "delay", shortest_paths(topology), demand(topology, **rates_mbps))


def test_nothing_happens_without_a_scenario() -> None:
    before = situation(square(), h1_h3=4)
    then = after(before, Scenario())
    assert then.routing == before.routing
    assert then.od_bps == pytest.approx(before.od_bps)


def test_a_failure_moves_what_it_cuts_and_spares_what_a_client_placed() -> None:
    before = situation(square(), h1_h3=4)
    placed = ("s1", "s5", "s3")
    routing = {**before.routing, ("h1", "h3"): placed}
    there = Situation(before.topology, "delay", routing, before.od_bps)
    then = after(there, Scenario(fail_links=(("s2", "s1"),)))
    assert then.routing["h1", "h3"] == placed
    assert then.routing["h3", "h1"] == ("s3", "s4", "s1"), "it was on the link that failed"
    assert {("s1", "s2"), ("s2", "s1")} == then.down


def test_a_placed_pair_whose_path_dies_is_restored() -> None:
    before = situation(square())
    routing = {**before.routing, ("h1", "h3"): ("s1", "s5", "s3")}
    there = Situation(before.topology, "delay", routing, before.od_bps)
    then = after(there, Scenario(fail_switches=("s5",)))
    assert then.routing["h1", "h3"] == ("s1", "s2", "s3")
    assert ("h5", "h1") not in then.routing, "its own switch is gone"
    assert ("h1", "h5") not in then.routing


def test_hosts_of_one_failed_switch_do_not_reach_each_other_either() -> None:
    before = situation(square())
    then = after(before, Scenario(fail_switches=("s2",)))
    assert all("s2" not in path for path in then.routing.values())


def test_a_new_link_is_used_by_whoever_is_on_shortest_paths() -> None:
    before = situation(square(), h1_h3=4)
    link = Link("s1", "s3", LinkShape(10e6, 1.0))
    then = after(before, Scenario(add_links=(link,)))
    assert then.routing["h1", "h3"] == ("s1", "s3")
    assert then.topology.core_links[-1] == link


def test_a_new_switch_carries_transit() -> None:
    before = situation(square())
    fast = LinkShape(10e6, 0.1)
    scenario = Scenario(
        add_switches=(Switch("s9", "s9"),),
        add_links=(Link("s9", "s1", fast), Link("s9", "s3", fast)),
    )
    assert after(before, scenario).routing["h1", "h3"] == ("s1", "s9", "s3")


def test_traffic_is_scaled_and_attacked() -> None:
    before = situation(square(), h1_h3=4, h2_h3=1)
    attack = Attack("h3", 6e6, ("h1", "h2"))
    scenario = Scenario(scale=2.0, scale_pairs=((("h2", "h3"), 3.0),), attacks=(attack,))
    then = after(before, scenario)
    assert then.od_bps == pytest.approx(demand(square(), h1_h3=11, h2_h3=9))
    assert before.od_bps == pytest.approx(demand(square(), h1_h3=4, h2_h3=1)), "left as it was"


def test_all_failures_are_named_once() -> None:
    topology = wheel()
    links, switches = len(topology.core_links), len(topology.switches)
    assert len(all_failures(topology, 1)) == links + switches
    twos = all_failures(topology, 2)
    assert len(twos) == links * (links - 1) // 2
    assert len({frozenset(one.fail_links) for one in twos}) == len(twos)
    with pytest.raises(ValueError, match="singly or in twos"):
        all_failures(topology, 3)


def test_what_is_down_already_stays_down() -> None:
    topology = square()
    down = frozenset({("s1", "s2"), ("s2", "s1")})
    there = Situation(topology, "delay", shortest_paths(topology, down=down), np.zeros(20), down)
    then = after(there, Scenario(fail_links=(("s1", "s4"),)))
    assert then.routing["h1", "h3"] == ("s1", "s5", "s3")


def policed(*policies: Policy) -> Situation:
    return situation(replace(square(), policies=policies), h1_h3=4, h1_h2=1)


def test_a_flood_enters_only_where_policies_let_it() -> None:
    closed = policed(Policy("h1", "h3", deny=True))
    then = after(closed, Scenario(attacks=(Attack("h3", 8e6, ("h1", "h2")),)))
    pairs = closed.topology.od_pairs
    assert then.od_bps[pairs.index(("h1", "h3"))] == pytest.approx(4e6), "measured: it did pass"
    assert then.od_bps[pairs.index(("h2", "h3"))] == pytest.approx(4e6)


def test_a_limit_holds_all_that_enters_under_it_at_one_switch() -> None:
    limited = policed(Policy("h1", "any", limit=RateLimit(6e6, 1e5)))
    assert after(limited, Scenario()).od_bps == pytest.approx(limited.od_bps)
    then = after(limited, Scenario(scale=2.0))
    pairs = limited.topology.od_pairs
    assert then.od_bps[pairs.index(("h1", "h3"))] == pytest.approx(4.8e6)
    assert then.od_bps[pairs.index(("h1", "h2"))] == pytest.approx(1.2e6)


def test_a_limit_of_one_protocol_leaves_the_other_alone() -> None:
    limited = policed(Policy("h1", "any", protocol="udp", limit=RateLimit(1e6, 1e5)))
    tcp = replace(limited, tcp_pairs=frozenset({("h1", "h3")}))
    pairs = limited.topology.od_pairs
    then = after(tcp, Scenario(scale=2.0))
    assert then.od_bps[pairs.index(("h1", "h3"))] == pytest.approx(8e6)
    assert then.od_bps[pairs.index(("h1", "h2"))] == pytest.approx(1e6)

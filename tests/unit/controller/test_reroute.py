from __future__ import annotations

from dataclasses import replace

import pytest
from fake_network import make_topology, ring

from controller.links import Links
from controller.reroute import drain_s, refusal_reason
from topologies.model import OdPair, Path

TOPOLOGY = ring(5)
ALL = frozenset(switch.name for switch in TOPOLOGY.switches)


def reason(pair: OdPair, path: Path, links: Links | None = None, lost: str = "") -> str | None:
    return refusal_reason(TOPOLOGY, links or Links(TOPOLOGY), ALL - {lost}, pair, path)


def test_a_valid_move_is_not_refused() -> None:
    assert reason(("h0", "h2"), ("s0", "s4", "s3", "s2")) is None


@pytest.mark.parametrize(
    ("pair", "path", "expected"),
    [
        (("h0", "x"), ("s0",), "there is no OD pair h0 -> x"),
        (("h0", "h0"), ("s0",), "there is no OD pair h0 -> h0"),
        (("h0", "s2"), ("s0",), "there is no OD pair h0 -> s2"),
        (("h0", "h2"), (), "the path must lead from s0 to s2"),
        (("h0", "h2"), ("s1", "s2"), "the path must lead from s0 to s2"),
        (("h0", "h2"), ("s0", "s1"), "the path must lead from s0 to s2"),
        (("h0", "h2"), ("s0", "s9", "s2"), "there is no switch s9"),
        (("h0", "h2"), ("s0", "h1", "s2"), "there is no switch h1"),
        (("h0", "h2"), ("s0", "s3", "s2"), "there is no link s0-s3"),
        (("h0", "h2"), ("s0", "s1", "s0", "s1", "s2"), "the path visits a switch twice"),
    ],
)
def test_an_impossible_move_is_refused(pair: OdPair, path: Path, expected: str) -> None:
    assert reason(pair, path) == expected


def test_a_dead_link_or_a_lost_switch_is_named() -> None:
    links = Links(TOPOLOGY)
    links.set_port("s2", "s1", up=False)
    assert reason(("h0", "h2"), ("s0", "s1", "s2"), links) == "the link s1-s2 is down"
    assert reason(("h0", "h2"), ("s0", "s1", "s2"), lost="s1") == "s1 is not connected"


def test_the_drain_outlasts_full_queues_on_the_whole_path() -> None:
    # Two core links of 10 Mbit/s with 101 full frames each, four links of 1 ms, 50 ms.
    expected_s = 2 * 101 * 1514 * 8 / 10e6 + 0.004 + 0.05
    assert drain_s(TOPOLOGY, ("h0", "h2"), ("s0", "s1", "s2")) == pytest.approx(expected_s)
    pair = make_topology([("s1", "s2")], {"a": "s1", "b": "s1"})
    assert drain_s(pair, ("a", "b"), ("s1",)) == pytest.approx(0.052)


def test_the_drain_outlasts_queues_that_are_bounded_in_bytes() -> None:
    links = tuple(
        replace(link, shape=replace(link.shape, queue_bytes=1_000_000)) for link in TOPOLOGY.links
    )
    expected_s = 2 * 8 * (1_000_000 + 1514) / 10e6 + 0.004 + 0.05
    bounded = replace(TOPOLOGY, links=links)
    assert drain_s(bounded, ("h0", "h2"), ("s0", "s1", "s2")) == pytest.approx(expected_s)

"""The ip and tc commands of the kernel backend; tests/kernel runs them on a kernel with netem."""

from __future__ import annotations

from dataclasses import replace

import pytest

from testbed.links.wire import attach, interfaces, renew, reshape, unchangeable, wires
from topologies.model import LinkShape

SHAPE = LinkShape(rate_bps=12e6, delay_ms=10.0, loss_percent=1.5, queue_packets=50)
PRIORITY = replace(SHAPE, queueing="priority")
FORTH, BACK = wires(3)


def medium(shape: LinkShape) -> str:
    return next(line for line in attach(FORTH, shape) if "netem" in line)


def test_both_directions_use_the_same_pairs_the_other_way() -> None:
    assert (FORTH.entry, FORTH.transmitter) == (BACK.exit, BACK.receiver)
    assert (BACK.entry, BACK.transmitter) == (FORTH.exit, FORTH.receiver)
    assert FORTH.gate != BACK.gate
    made = " ".join(interfaces("s1-eth1", "s2-eth4", FORTH))
    for name in ("s1-eth1", "s2-eth4", FORTH.entry, FORTH.exit, FORTH.transmitter, FORTH.receiver):
        assert f" {name} " in made


def test_names_fit_an_interface() -> None:
    assert all(len(name) < 16 for name in (wires(9999)[0].entry, wires(9999)[0].transmitter))


def test_the_queue_is_the_leaf_of_the_rate_and_nothing_else() -> None:
    lines = list(attach(FORTH, SHAPE))
    assert any("htb rate 12000000bit" in line and FORTH.transmitter in line for line in lines)
    assert f"qdisc add dev {FORTH.transmitter} parent 1:1 handle 2: pfifo limit 50" in lines
    in_bytes = attach(FORTH, replace(SHAPE, queue_bytes=75_000))
    assert any(line.endswith("bfifo limit 75000") for line in in_bytes)


def test_the_medium_delays_and_loses() -> None:
    assert f"dev {FORTH.exit} root" in medium(SHAPE)
    assert "delay 10ms rate 12000000bit loss 1.5% duplicate 0% corrupt 0%" in medium(SHAPE)


@pytest.mark.parametrize(("reordering", "rate"), [(False, "rate 100gbit"), (True, "rate 0bit")])
def test_a_rate_in_netem_keeps_the_order(reordering: bool, rate: str) -> None:
    shape = replace(SHAPE, jitter_ms=2.0, reordering=reordering)
    assert f"delay 10ms 2ms 0% distribution normal {rate}" in medium(shape)


def test_bursts_follow_the_gilbert_model() -> None:
    # Bad state left after 4 frames on average, entered so that 20 % of the time is spent there.
    words = medium(replace(SHAPE, loss_percent=20.0, loss_burst_packets=4.0))
    assert "loss gemodel 6.25% 25% 100% 0%" in words


@pytest.mark.parametrize(
    ("percent", "loss"), [(95.0, "gemodel 100% 5.26316% 100% 0%"), (100.0, "100%")]
)
def test_bursts_are_longer_where_more_is_to_be_lost_than_they_leave(
    percent: float, loss: str
) -> None:
    words = medium(replace(SHAPE, loss_percent=percent, loss_burst_packets=4.0))
    assert f"loss {loss} duplicate" in words


def test_with_priority_every_class_has_a_queue_and_filters_that_lead_to_it() -> None:
    lines = list(attach(FORTH, PRIORITY))
    add = f"add dev {FORTH.transmitter} parent 2:"
    for band in (1, 2, 3):
        assert f"qdisc {add}{band} handle 2{band}: pfifo limit 50" in lines
    filters = [line.removeprefix(f"filter {add} ") for line in lines if f"filter {add}" in line]
    for protocol in ("ip pref", "ipv6 pref", "802.1Q pref 3 flower vlan_ethtype ip "):
        of_protocol = [line for line in filters if line.startswith(f"protocol {protocol}")]
        assert any(line.endswith("ip_tos 0xc0/0xfc classid 2:1") for line in of_protocol)
        assert any(line.endswith("ip_tos 0xb8/0xfc classid 2:2") for line in of_protocol)


@pytest.mark.parametrize("shape", [SHAPE, PRIORITY])
def test_a_change_leaves_everything_in_place(shape: LinkShape) -> None:
    assert all(line.split()[1] == "change" for line in reshape(FORTH, shape))


@pytest.mark.parametrize(("shape", "count"), [(SHAPE, 2), (PRIORITY, 5)])
def test_renewal_makes_the_same_disciplines_again(shape: LinkShape, count: int) -> None:
    made = {line for line in attach(FORTH, shape) if line.startswith("qdisc add")}
    again = {line for line in renew(FORTH, shape) if line.startswith("qdisc add")}
    assert len(again) == count
    assert again <= made
    assert all(line in renew(FORTH, shape) for line in attach(FORTH, shape) if " parent 2:" in line)


def test_what_tc_cannot_change_is_refused() -> None:
    assert unchangeable(SHAPE, replace(SHAPE, delay_ms=99.0, queue_packets=5)) is None
    assert unchangeable(SHAPE, replace(SHAPE, queue_bytes=1000))
    assert unchangeable(SHAPE, PRIORITY)
    jitter = replace(SHAPE, jitter_ms=1.0)
    assert unchangeable(SHAPE, jitter) is None
    assert unchangeable(jitter, replace(jitter, jitter_distribution="pareto"))

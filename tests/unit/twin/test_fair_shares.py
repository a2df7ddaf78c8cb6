from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.fair_shares import fair_shares

FILLER = 3  # links
RATES = np.array([10.0, 4.0, 100.0])


def test_flows_share_a_link_and_take_what_others_cannot_use() -> None:
    hops = np.array([[0, FILLER], [0, 1], [1, FILLER]])
    rates = fair_shares(hops, np.ones(3), RATES)
    assert rates == pytest.approx([8, 2, 2])


def test_flows_count_each() -> None:
    hops = np.array([[0], [0]])
    assert fair_shares(hops, np.array([4.0, 1.0]), RATES) == pytest.approx([8, 2])


def test_long_flows_get_the_least_of_the_shares_on_their_way() -> None:
    """The parking lot: one flow over three links in a row, beside one on each of them."""
    hops = np.array([[0, 1, 2], [0, FILLER, FILLER], [1, FILLER, FILLER], [2, FILLER, FILLER]])
    alike = fair_shares(hops, np.ones(4), np.array([6.0, 6.0, 6.0]))
    assert alike == pytest.approx([3, 3, 3, 3])
    assert fair_shares(hops, np.ones(4), RATES) == pytest.approx([2, 8, 2, 98])


def test_two_bottlenecks_one_after_the_other() -> None:
    """Bertsekas and Gallager, section 6.5.2: who is held up elsewhere leaves room for the rest."""
    hops = np.array([[0, FILLER], [0, FILLER], [0, 1], [1, 2], [2, FILLER]])
    rates = fair_shares(hops, np.ones(5), np.array([1.0, 1.0, 1.0]))
    assert rates == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1 / 2, 1 / 2])
    wider = fair_shares(hops, np.ones(5), np.array([1.0, 2.0, 1.0]))
    assert wider == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1 / 2, 1 / 2])
    narrow = fair_shares(hops, np.ones(5), np.array([1.0, 0.5, 1.0]))
    assert narrow == pytest.approx([0.375, 0.375, 0.25, 0.25, 0.75])


def test_what_other_traffic_leaves_is_shared_only() -> None:
    hops = np.array([[0, 1], [0, FILLER]])
    assert fair_shares(hops, np.array([1.0, 3.0]), np.array([8.0, 1.0, 0.0])) == pytest.approx(
        [1, 7]
    )


def test_what_has_no_route_or_no_room_gets_nothing() -> None:
    hops = np.array([[FILLER], [0]])
    assert fair_shares(hops, np.ones(2), np.array([-1.0, 4, 4])) == pytest.approx([0, 0])


@given(st.integers(0, 1000))
def test_every_flow_is_held_up_by_a_full_link_where_none_is_faster(seed: int) -> None:
    random = np.random.default_rng(seed)
    hops = random.integers(0, 5, (6, 2))
    hops[hops[:, 0] == hops[:, 1], 1] = 5
    left = random.uniform(1, 10, 5)
    rates = fair_shares(hops, np.ones(6), left)
    crossing = [(hops == link).any(axis=1) for link in range(5)]
    load = np.array([rates[pairs].sum() for pairs in crossing])
    assert (load <= left + 1e-9).all()
    for pair in range(6):
        full = [link for link in hops[pair] if link < 5 and load[link] > left[link] - 1e-9]
        assert any(rates[pair] >= rates[crossing[link]].max() - 1e-9 for link in full)

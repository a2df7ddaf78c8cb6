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

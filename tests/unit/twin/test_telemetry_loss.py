"""What a feed that loses telemetry leaves of the controller's messages."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_networks import square

from controller.messages import (
    DatapathState,
    FromController,
    OdCounters,
    OdStats,
    PortStats,
    Ready,
)
from twin.telemetry_loss import LossyFeed, Silent, TelemetryLoss

TOPOLOGY = square()
SWITCHES = [switch.name for switch in TOPOLOGY.switches]
STRETCH_S = 10.0


def feed(share: float, silent: Silent, seed: int = 1) -> LossyFeed:
    return LossyFeed(TOPOLOGY, TelemetryLoss(share, silent, STRETCH_S, seed))


def pair_counts(t_s: float) -> list[OdStats]:
    return [
        OdStats(
            t_s=t_s,
            datapath=switch,
            pairs=tuple(
                OdCounters(*pair, packets=1, bytes=1)
                for pair in TOPOLOGY.od_pairs
                if TOPOLOGY.switch_of[pair[0]] == switch
            ),
        )
        for switch in SWITCHES
    ]


def pairs_seen(lossy: LossyFeed, t_s: float) -> set[tuple[str, str]]:
    left = [lossy(message) for message in pair_counts(t_s)]
    return {(p.src, p.dst) for one in left if isinstance(one, OdStats) for p in one.pairs}


@given(
    share=st.floats(0, 1),
    t_s=st.floats(0, 1e6),
    seed=st.integers(0, 100),
)
def test_the_stated_share_of_the_pairs_is_lost(share: float, t_s: float, seed: int) -> None:
    pairs = len(TOPOLOGY.od_pairs)
    seen = pairs_seen(feed(share, "counters", seed), t_s)
    assert len(seen) == pairs - round(share * pairs)


def test_the_same_pairs_are_lost_for_a_stretch_and_others_after_it() -> None:
    lossy = feed(0.5, "counters")
    first, still = pairs_seen(lossy, 20.0), pairs_seen(lossy, 29.9)
    later = [frozenset(pairs_seen(lossy, 30.0 + STRETCH_S * n)) for n in range(8)]
    assert first == still
    assert len({frozenset(first), *later}) > 1


def test_a_new_twin_is_told_no_more_than_its_predecessor() -> None:
    assert pairs_seen(feed(0.5, "counters"), 25.0) == pairs_seen(feed(0.5, "counters"), 25.0)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_silent_switch_tells_nothing_that_it_counts(share: float) -> None:
    lossy = feed(share, "switches")
    messages: list[FromController] = [
        PortStats(t_s=5.0, datapath=switch, ports=()) for switch in SWITCHES
    ]
    heard = [one.datapath for m in messages if isinstance(one := lossy(m), PortStats)]
    assert len(heard) == len(SWITCHES) - round(share * len(SWITCHES))
    told = [lossy(message) for message in pair_counts(5.0)]
    assert [one.datapath for one in told if isinstance(one, OdStats)] == heard


def test_news_that_is_no_counter_is_never_lost() -> None:
    news: list[FromController] = [
        Ready(t_s=1.0, datapaths=4, routes=12),
        DatapathState(t_s=1.0, datapath=SWITCHES[0], connected=False),
    ]
    for silent in ("counters", "switches"):
        lossy = LossyFeed(TOPOLOGY, TelemetryLoss(1.0, silent, STRETCH_S, 0))
        assert [lossy(message) for message in news] == news


def test_it_travels_as_json() -> None:
    loss = TelemetryLoss(0.3, "switches", 15.0, 7)
    assert msgspec.json.decode(msgspec.json.encode(loss), type=TelemetryLoss) == loss

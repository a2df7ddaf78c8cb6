from __future__ import annotations

import msgspec
import numpy as np
import pytest

from generators.records import Received, Segment
from generators.schedule import Schedule
from results.metrics.delivery import (
    goodput_mbps,
    packet_balance,
    rates_over_time_bps,
    sending_span,
    tcp_delivered_percent,
)
from results.metrics.replay import replay_wape_percent, requested_over_time_bps, sent_percent
from results.timeline import Window


def segment(
    start_s: float, duration_s: float, sent: int, rate_bps: float = 8e5, *, attack: bool = False
) -> Segment:
    return Segment(
        src="a",
        dst="b",
        attack=attack,
        requested_bps=rate_bps,
        start_s=start_s,
        started_s=start_s,
        duration_s=duration_s,
        sent_packets=sent,
        sent_bytes=1000 * sent,
        error="" if sent >= 0 else "ended early",
    )


def received(start_s: float, end_s: float, packets: int, latency_ms: float = 0.0) -> Received:
    return Received(
        src="a",
        dst="b",
        attack=False,
        start_s=start_s,
        end_s=end_s,
        packets=packets,
        bytes=1000 * packets,
        lost_packets=0,
        latency_mean_ms=latency_ms,
        latency_bin_ms=1.0,
        latency_counts=((int(latency_ms), packets),),
    )


def test_a_client_inside_the_window_counts_with_all_that_arrived_of_it() -> None:
    # the last of its packets arrive after the window, in a queue
    segments = [segment(1.0, 2.0, 200)]
    arrived = [received(1.05, 2.05, 100), received(2.05, 3.05, 90)]
    balance = packet_balance(segments, arrived, Window(0.0, 3.0))
    assert balance is not None
    assert (balance.sent, balance.received) == (200, 190)
    assert balance.error_rate_percent == pytest.approx(5.0)


def test_a_client_over_the_edge_counts_with_its_share_of_time() -> None:
    segments = [segment(0.0, 4.0, 400)]
    arrived = [received(float(t), t + 1.0, 80) for t in range(4)]
    balance = packet_balance(segments, arrived, Window(2.0, 10.0))
    assert balance is not None
    assert (balance.sent, balance.received) == (pytest.approx(200), pytest.approx(160))
    assert balance.error_rate_percent == pytest.approx(20.0)


def test_packets_belong_to_the_client_that_ran_last_and_attacks_to_nobody() -> None:
    segments = [segment(0.0, 1.0, 100), segment(1.0, 1.0, 100), segment(1.0, 1.0, 999, attack=True)]
    arrived = [received(0.0, 1.0, 100), received(1.0, 2.0, 50)]
    balance = packet_balance(segments, arrived, Window(1.0, 2.0))
    assert balance is not None
    assert (balance.sent, balance.received) == (100, 50)


def test_a_client_without_a_count_is_estimated_from_its_rate() -> None:
    # 0.8 Mbit/s for 2 s are 200 frames of 1000 bytes
    balance = packet_balance([segment(0.0, 2.0, -1)], [received(0.0, 2.0, 150)], Window(0.0, 2.0))
    assert balance is not None
    assert balance.sent == pytest.approx(200)
    assert balance.estimated_clients == balance.clients == 1


def test_nothing_sent_gives_no_error_rate() -> None:
    assert packet_balance([], [], Window(0.0, 2.0)) is None
    assert packet_balance([segment(5.0, 1.0, 10)], [], Window(0.0, 2.0)) is None


def test_goodput_spreads_a_report_over_its_interval() -> None:
    # 1000 packets of 8000 bits over 2 s, of which one second lies in the window
    assert goodput_mbps([received(0.0, 2.0, 1000)], Window(1.0, 3.0)) == pytest.approx(2.0)
    assert goodput_mbps([], Window(1.0, 3.0)) is None
    rates = rates_over_time_bps([received(0.5, 1.5, 100)], np.array([0.0, 1.0, 2.0, 3.0]))
    assert rates == pytest.approx([4e5, 4e5, 0.0])


@pytest.mark.parametrize("started_s", [1.0, 2.5])
def test_a_client_counts_when_it_is_due_however_early_or_late_it_starts(started_s: float) -> None:
    one = msgspec.structs.replace(segment(2.0, 1.0, 100), started_s=started_s)
    assert sending_span(one) == (2.0, 3.0)
    balance = packet_balance([one], [received(2.0, 3.0, 90)], Window(2.0, 3.0))
    assert balance is not None
    assert (balance.sent, balance.received) == (100, 90)


def test_what_is_under_way_as_a_rate_changes_was_sent_at_the_old_one() -> None:
    # 100 packets a second, then 20; each is under way for 0.2 s.
    rates = [segment(0.0, 10.0, 1000, 8e5), segment(10.0, 10.0, 200, 1.6e5)]
    reports = [received(t, t + 1.0, 100, 200.0) for t in range(1, 10)]
    reports += [received(0.0, 1.0, 80, 200.0), received(10.0, 11.0, 20 + 16, 200.0)]
    reports += [received(t, t + 1.0, 20, 200.0) for t in range(11, 20)]
    reports += [received(20.0, 20.2, 4, 200.0)]
    balance = packet_balance(rates, reports, Window(10.0, 20.0))
    assert balance is not None
    assert (balance.sent, balance.received) == (200, pytest.approx(200))
    before = packet_balance(rates, reports, Window(0.0, 10.0))
    assert before is not None
    assert (before.sent, before.received) == (1000, pytest.approx(1000))


def test_tcp_loses_nothing_and_is_measured_by_what_it_got() -> None:
    both = [
        segment(0.0, 10.0, 1000),
        msgspec.structs.replace(segment(0.0, 10.0, 1000), transport="tcp"),
    ]
    of_tcp = msgspec.structs.replace(received(0.0, 10.0, 250), transport="tcp")
    window = Window(0.0, 10.0)
    balance = packet_balance(both, [received(0.0, 10.0, 900)], window)
    assert balance is not None
    assert (balance.sent, balance.received) == (1000, 900)
    asked_bits = 10 * both[1].requested_bps
    assert tcp_delivered_percent(both, [of_tcp], window) == pytest.approx(100 * 2e6 / asked_bits)
    assert tcp_delivered_percent(both[:1], [], window) is None


def test_no_report_of_a_flow_through_several_rates_is_left_out() -> None:
    # Its reports count from when it was due, while the first packet of a rate is a little late.
    rates = [
        msgspec.structs.replace(segment(start_s, 5.0, 500), started_s=start_s + 0.002)
        for start_s in (10.0, 15.0)
    ]
    reports = [received(10.0 + second, 11.0 + second, 100) for second in range(10)]
    balance = packet_balance(rates, reports, Window(10.0, 20.0))
    assert balance is not None
    assert (balance.sent, balance.received) == (1000, 1000)


def test_replay_error_is_weighted_and_leaves_cut_intervals_out() -> None:
    matrices = np.zeros((3, 2, 2))
    matrices[:, 0, 1] = [8e5, 8e5, 8e5]
    schedule = Schedule(("a", "b"), 1.0, matrices)
    arrived = [received(10.0, 11.0, 100), received(11.0, 12.0, 90), received(12.0, 13.0, 50)]
    window = Window(10.0, 12.5)
    assert replay_wape_percent(schedule, 10.0, arrived, window) == pytest.approx(5.0)
    assert replay_wape_percent(schedule, 10.0, [], window) is None


def test_what_the_schedule_asks_for_over_time() -> None:
    matrices = np.zeros((3, 2, 2))
    matrices[1:, 0, 1] = 8e5
    schedule = Schedule(("a", "b"), 2.0, matrices)
    rates = requested_over_time_bps(schedule, 10.0, np.array([11.0, 12.0, 13.0]))
    assert rates == pytest.approx([0.0, 8e5])


def test_sent_against_requested_knows_only_clients_with_a_count() -> None:
    # 0.8 Mbit/s for 1 s are 100 frames of 1000 bytes
    segments = [segment(0.0, 1.0, 90), segment(1.0, 1.0, -1), segment(0.0, 1.0, 1, attack=True)]
    assert sent_percent(segments, Window(0.0, 5.0)) == pytest.approx(90.0)
    assert sent_percent([], Window(0.0, 5.0)) is None


def test_a_client_whose_host_crashed_is_taken_to_have_sent_until_then() -> None:
    died = msgspec.structs.replace(segment(1.0, 4.0, -1), host_crashed_s=3.0)
    never_started = msgspec.structs.replace(segment(5.0, 4.0, -1), host_crashed_s=3.0)
    assert sending_span(died) == (1.0, 3.0)
    balance = packet_balance([died, never_started], [received(1.0, 3.0, 190)], Window(0.0, 10.0))
    assert balance is not None
    assert (balance.sent, balance.received) == (pytest.approx(200.0), 190)
    assert (balance.clients, balance.estimated_clients) == (1, 1)
    assert sent_percent([died, never_started], Window(0.0, 10.0)) is None

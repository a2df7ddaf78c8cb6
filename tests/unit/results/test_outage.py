from __future__ import annotations

import pytest

from controller.messages import LinkState, RerouteDone, Route, Routes
from results.metrics.outage import first_reroute_ms, outage_ms, outage_parts_ms, outages
from results.timeline import Failure
from testbed.records import ProbeStream


def link_down(a: str, b: str, at_s: float, until_s: float) -> Failure:
    return Failure("link-down", {"link": [a, b]}, frozenset({(a, b), (b, a)}), at_s, until_s)


FAULT = link_down("s1", "s2", at_s=10.0, until_s=20.0)


def stream(
    lost_forward: range, lost_backward: range = range(0), *, src: str = "a", dst: str = "b"
) -> ProbeStream:
    """A packet every 10 ms from 9 s to 12 s; those with the given numbers do not arrive."""
    numbers = range(300)
    return ProbeStream(
        src=src,
        dst=dst,
        purpose="outage",
        spacing_ms=10.0,
        sent_s=tuple(9.0 + number / 100 for number in numbers),
        forward_ms=tuple(None if n in lost_forward else 3.0 for n in numbers),
        backward_ms=tuple(
            None if n in lost_backward or n in lost_forward else 3.0 for n in numbers
        ),
    )


def baseline(t_s: float = 1.0) -> Routes:
    return Routes(
        t_s=t_s,
        cause="baseline",
        routes=(
            Route("a", "b", ("s1", "s2")),
            Route("b", "a", ("s2", "s1")),
            Route("a", "c", ("s1", "s3")),
            Route("c", "a", ("s3", "s1")),
        ),
    )


def test_the_longest_hole_after_the_fault_minus_the_spacing() -> None:
    # packets 98 and 99 were on the link when it failed, 100 to 119 follow: 22 are lost
    found = outages([stream(range(98, 120))], [baseline()], [FAULT])
    assert [outage.outage_ms for outage in found] == [pytest.approx(220.0)]
    assert found[0].recovered
    assert found[0].first_good_ms == pytest.approx(200.0)


def test_holes_before_the_fault_do_not_count_and_the_worse_way_does() -> None:
    found = outages([stream(range(10, 90), range(100, 105))], [baseline()], [FAULT])
    assert [outage.outage_ms for outage in found] == [pytest.approx(50.0)]


def test_pairs_whose_route_did_not_cross_the_link_are_not_affected() -> None:
    assert outages([stream(range(100, 120), dst="c")], [baseline()], [FAULT]) == []


def test_routes_are_those_at_the_instant_of_the_fault() -> None:
    moved = Routes(
        t_s=5.0,
        cause="request",
        routes=(Route("a", "b", ("s1", "s3", "s2")), Route("b", "a", ("s2", "s3", "s1"))),
    )
    assert outages([stream(range(100, 120))], [baseline(), moved], [FAULT]) == []


def test_an_affected_pair_that_lost_nothing_has_no_outage_but_counts() -> None:
    found = outages([stream(range(0))], [baseline()], [FAULT])
    assert outage_ms(found) == {
        "p50": pytest.approx(0.0, abs=1e-6),
        "p95": pytest.approx(0.0, abs=1e-6),
        "max": pytest.approx(0.0, abs=1e-6),
        "n": 1,
        "never_recovered": 0,
    }


def test_a_stream_that_stays_silent_never_recovered_and_counts_with_what_was_seen() -> None:
    found = outages([stream(range(100, 300))], [baseline()], [FAULT])
    figures = outage_ms(found)
    assert figures is not None
    assert figures["never_recovered"] == 1
    assert figures["max"] == pytest.approx(2000.0)
    assert found[0].first_good_ms is None


def test_the_hole_ends_where_the_timeline_goes_on() -> None:
    fault = link_down("s2", "s1", at_s=10.0, until_s=10.5)
    found = outages([stream(range(100, 300))], [baseline()], [fault])
    assert found[0].outage_ms == pytest.approx(500.0)


def test_a_fault_that_is_over_before_anything_arrives_has_no_figure() -> None:
    fault = link_down("s1", "s2", at_s=10.0, until_s=10.05)
    assert outages([stream(range(98, 110))], [baseline()], [fault]) == []


def test_the_last_packets_in_flight_are_no_outage() -> None:
    found = outages([stream(range(295, 300))], [baseline()], [FAULT])
    assert found[0].recovered
    assert found[0].outage_ms == pytest.approx(0.0, abs=1e-6)


def test_without_stream_at_the_fault_or_without_routes_there_is_no_figure() -> None:
    late = link_down("s1", "s2", at_s=15.0, until_s=20.0)
    assert outages([stream(range(0))], [baseline()], [late]) == []
    assert outages([stream(range(100, 120))], [], [FAULT]) == []
    assert outage_ms([]) is None


def test_the_parts_of_a_recovery() -> None:
    around = (Route("a", "b", ("s1", "s3", "s2")),)
    back = (Route("b", "a", ("s2", "s3", "s1")),)
    telemetry = [
        baseline(),
        LinkState(t_s=10.02, datapath="s2", neighbour="s1", up=False),
        LinkState(t_s=10.04, datapath="s1", neighbour="s2", up=False),
        Routes(t_s=10.06, cause="restoration", routes=around),
        Routes(t_s=10.09, cause="restoration", routes=back),
        Routes(t_s=11.0, cause="request", routes=around),
    ]
    found = outages([stream(range(100, 112))], telemetry, [FAULT])
    assert outage_parts_ms(found) == {
        "detected": pytest.approx(20.0),
        "applied": pytest.approx(90.0),
        "first_good": pytest.approx(120.0),
    }


def test_the_first_reroute_after_the_fault() -> None:
    def done(received_s: float, switched_s: float) -> RerouteDone:
        return RerouteDone(
            t_s=switched_s,
            request_id="r",
            received_s=received_s,
            installed_s=switched_s,
            switched_s=switched_s,
            removed_s=switched_s,
            applied=(Route("a", "b", ("s1", "s2")),),
            refused=(),
        )

    assert first_reroute_ms([done(9.9, 10.1), done(10.3, 10.4)], FAULT) == pytest.approx(400.0)
    assert first_reroute_ms([done(9.0, 9.1)], FAULT) is None


def test_the_first_end_may_report_before_the_fault_is_complete() -> None:
    early = LinkState(t_s=9.98, datapath="s1", neighbour="s2", up=False)
    found = outages([stream(range(100, 112))], [baseline(), early], [FAULT])
    assert outage_parts_ms(found)["detected"] == 0.0


def test_a_one_way_failure_breaks_only_what_goes_that_way() -> None:
    def silent(*direction: str) -> Failure:
        return Failure("silent", {}, frozenset({(direction[0], direction[1])}), 10.0, 20.0)

    routes = Routes(
        t_s=1.0,
        cause="baseline",
        routes=(Route("a", "b", ("s1", "s2")), Route("b", "a", ("s2", "s3", "s1"))),
    )
    assert len(outages([stream(range(100, 120))], [routes], [silent("s1", "s2")])) == 1
    assert outages([stream(range(100, 120))], [routes], [silent("s2", "s1")]) == []


def test_a_crashed_switch_breaks_what_leads_through_it_but_not_its_own_hosts() -> None:
    routes = Routes(
        t_s=1.0,
        cause="baseline",
        routes=(Route("a", "b", ("s1", "s2", "s3")), Route("b", "a", ("s3", "s2", "s1"))),
    )

    def crash(switch: str) -> Failure:
        ring = ("s1", "s2", "s3")
        hit = frozenset((x, y) for x in ring for y in ring if x != y and switch in (x, y))
        return Failure("switch-crash", {"switch": switch}, hit, 10.0, 20.0)

    (through,) = outages([stream(range(100, 120))], [routes], [crash("s2")])
    assert through.failure.kind == "switch-crash"
    assert outages([stream(range(100, 120))], [routes], [crash("s3")]) == []

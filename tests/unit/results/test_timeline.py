from __future__ import annotations

import pytest

from results.fault_events import BEGINS, ENDS, FAULT_KINDS, FaultKind
from results.run_directory import Event
from results.timeline import Window, ended_s, failures, floods, measured_window, surviving_spans
from topologies.catalogue import load_topology
from topologies.model import DirectedLink

TRIANGLE = load_topology("triangle")


def event(t_s: float, name: str, **detail: object) -> Event:
    return Event(t_s=t_s, event=name, detail=dict(detail))


def test_the_window_ends_with_the_records_where_the_run_was_cut_off() -> None:
    events = [event(5.0, "measure-start"), event(9.0, "measure-end")]
    assert measured_window(events, 20.0) == Window(5.0, 9.0)
    assert measured_window(events[:1], 7.0) == Window(5.0, 7.0)
    assert measured_window(events[:1], 1.0) == Window(5.0, 5.0)
    assert measured_window([], 7.0) is None


def test_shares_of_a_window() -> None:
    window = Window(10.0, 20.0)
    assert window.share(8.0, 12.0) == 0.5
    assert window.share(12.0, 14.0) == 1.0
    assert window.share(0.0, 10.0) == 0.0
    assert window.share(15.0, 15.0) == 1.0
    assert list(Window(0.0, 2.6).edges(1.0)) == [0.0, 1.0, 2.0]


def test_a_failure_lasts_until_the_timeline_goes_on() -> None:
    events = [
        event(1.0, "link-down", link=["x", "y"]),
        event(12.0, "link-down", link=["a", "b"]),
        event(14.0, "flood-start", victim="v", sources=["s"]),
        event(16.0, "link-down", link=["c", "d"]),
    ]
    found = failures(events, TRIANGLE, Window(10.0, 20.0))
    assert [(one.kind, one.subject, one.at_s, one.until_s) for one in found] == [
        ("link-down", {"link": ["a", "b"]}, 12.0, 14.0),
        ("link-down", {"link": ["c", "d"]}, 16.0, 20.0),
    ]


def test_faults_of_one_moment_have_the_same_time_to_recover() -> None:
    events = [
        event(12.004, "controller-crash"),
        event(12.0, "link-down", link=["a", "b"]),
        event(12.0, "link-down", link=["c", "d"]),
        event(14.0, "controller-restart"),
    ]
    found = failures(events, TRIANGLE, Window(10.0, 20.0))
    assert [(one.at_s, one.until_s) for one in found] == [(12.0, 14.0)] * 2


def test_only_its_own_end_ends_what_an_event_began() -> None:
    flood, link = {"victim": "v", "sources": ["s"]}, {"link": ["a", "b"]}
    events = [
        event(1.0, "flood-start", **flood, stated_s=1.0),
        event(2.0, "link-down", **link),
        event(3.0, "link-up", link=["c", "d"]),
        event(4.0, "link-up", **link),
        event(4.0, "link-down", **link),
        event(5.0, "link-up", **link),
        event(6.0, "flood-end", **flood, stated_s=6.0),
        event(7.0, "switch-crash", switch="a"),
    ]
    begun = [one for one in events if one.event in ("flood-start", "link-down", "switch-crash")]
    assert [ended_s(one, events, 9.0) for one in begun] == [6.0, 4.0, 5.0, 9.0]


def test_surviving_spans_follow_down_and_up() -> None:
    events = [
        event(5.0, "link-down", link=["x", "y"]),
        event(12.0, "link-down", link=["a", "b"]),
        event(15.0, "link-up", link=["b", "a"]),
    ]
    spans = list(surviving_spans(events, TRIANGLE, Window(10.0, 20.0)))
    both = {("x", "y"), ("y", "x")}
    assert spans == [
        (Window(10.0, 12.0), both),
        (Window(12.0, 15.0), both | {("a", "b"), ("b", "a")}),
        (Window(15.0, 20.0), both),
    ]
    assert sum(span.duration_s for span, _ in spans) == pytest.approx(10.0)


def test_floods_and_one_that_did_not_end() -> None:
    one = {"victim": "v", "sources": ["s", "t"]}
    other = {"victim": "w", "sources": ["s"]}
    events = [
        event(1.0, "flood-start", **one, stated_s=1.0),
        event(2.0, "flood-start", **other, stated_s=2.0),
        event(3.0, "flood-end", **one, stated_s=3.0),
    ]
    found = floods(events, 9.0)
    assert [(f.victim, f.sources, f.start_s, f.end_s) for f in found] == [
        ("v", ("s", "t"), 1.0, 3.0),
        ("w", ("s",), 2.0, 9.0),
    ]


DETAILS: dict[FaultKind, dict[str, object]] = {
    "link-down": {"link": ["s1", "s2"]},
    "end-down": {"link": ["s1", "s2"], "end": "s2"},
    "silent": {"link": ["s1", "s2"], "from": "s2"},
    "degrade": {"link": ["s1", "s2"], "over_s": 1.0, "loss_percent": 50.0},
    "flap": {"link": ["s1", "s2"]},
    "switch-crash": {"switch": "s2"},
    "host-crash": {"host": "h2"},
}
BOTH = {("s1", "s2"), ("s2", "s1")}
OF_H2 = {("h2", "s2"), ("s2", "h2")}
DEAD: dict[FaultKind, set[DirectedLink]] = {
    "link-down": BOTH,
    "end-down": BOTH,
    "silent": {("s2", "s1")},
    "degrade": set(),
    "flap": BOTH,
    "switch-crash": BOTH | {("s2", "s3"), ("s3", "s2")} | OF_H2,
    "host-crash": OF_H2,
}


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_what_survives_each_kind_of_fault(kind: FaultKind) -> None:
    events = [
        event(12.0, BEGINS[kind], **DETAILS[kind], stated_s=12.0),
        event(15.0, ENDS[kind], **DETAILS[kind], stated_s=15.0),
    ]
    window = Window(10.0, 20.0)
    assert [dead for _, dead in surviving_spans(events, TRIANGLE, window)] == [
        set(),
        DEAD[kind],
        set(),
    ]
    (failure,) = failures(events, TRIANGLE, window)
    assert (failure.kind, failure.at_s, failure.until_s) == (kind, 12.0, 15.0)
    assert failure.subject == DETAILS[kind]
    assert failure.directions >= DEAD[kind]


def test_faults_that_overlap_end_one_by_one() -> None:
    events = [
        event(11.0, "switch-crash", switch="s2"),
        event(12.0, "link-down", link=["s1", "s2"]),
        event(13.0, "switch-restart", switch="s2"),
        event(14.0, "link-up", link=["s1", "s2"]),
    ]
    dead = [dead for _, dead in surviving_spans(events, TRIANGLE, Window(10.0, 20.0))]
    assert dead == [set(), DEAD["switch-crash"], DEAD["switch-crash"], BOTH, set()]

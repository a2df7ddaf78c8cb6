"""What is told of a run: every event, and of the controller's messages those that are news."""

from __future__ import annotations

from pathlib import Path

import msgspec

from controller.messages import (
    Discovery,
    Gap,
    LinkSilence,
    LinkState,
    Miscabled,
    OdStats,
    Refusal,
    RerouteDone,
    Route,
    Routes,
)
from results.growing_file import GrowingFile
from results.happenings import happening
from results.route_history import RouteHistory
from results.run_directory import Event


def test_an_event_names_what_it_is_about() -> None:
    event = Event(t_s=5.0, event="silent-start", detail={"link": ["s1", "s2"], "stated_s": 4.9})
    told = happening(event)
    assert told is not None
    assert (told.t_s, told.what, told.about, told.detail) == (5.0, "silent-start", "s1-s2", "")
    told = happening(Event(t_s=5.0, event="problem", detail={"reason": "no disk"}))
    assert told is not None
    assert told.detail == "reason no disk"


def test_a_reroute_tells_the_time_of_each_phase() -> None:
    done = RerouteDone(
        t_s=10.4,
        request_id="hot",
        received_s=10.0,
        installed_s=10.004,
        switched_s=10.006,
        removed_s=10.306,
        applied=(Route("h1", "h2", ("s1", "s2")),),
        refused=(Refusal("h1", "h3", "the link s1-s3 is down"),),
    )
    told = happening(done)
    assert told is not None
    assert told.about == "hot"
    assert told.detail == (
        "1 moved, 1 refused (h1→h3: the link s1-s3 is down): "
        "installed 4.0 ms, switched 2.0 ms, removed 300.0 ms"
    )


def test_what_the_probes_find_is_news() -> None:
    wrong = Miscabled("s1", "s2", "s4", "s5")
    found = Discovery(t_s=1.0, links=6, as_configured=5, miscabled=(wrong,))
    right = Discovery(t_s=2.0, links=6, as_configured=6, miscabled=())
    silent = LinkSilence(t_s=3.0, datapath="s1", neighbour="s2", silent=True)
    gap = Gap(t_s=4.0, datapath="s1", missing="port-stats", answered_s=None)
    told = [one for one in map(happening, (found, right, silent, gap)) if one]
    assert [(one.what, one.about) for one in told] == [
        ("links-miscabled", ""),
        ("links-discovered", ""),
        ("link-suspected-silent", "s1→s2"),
        ("gap", "s1"),
    ]
    assert told[0].detail == "frames of s1 to s2 arrive at s4, by its port to s5"


def test_counters_are_no_news() -> None:
    assert happening(OdStats(t_s=1.0, datapath="s1", pairs=())) is None


def test_a_route_keeps_the_time_and_the_cause_of_its_last_change() -> None:
    history = RouteHistory()
    here, there = Route("h1", "h2", ("s1", "s2")), Route("h1", "h2", ("s1", "s3", "s2"))
    history.take(
        [
            Routes(t_s=1.0, cause="baseline", routes=(here,)),
            Routes(t_s=2.0, cause="request", routes=(there,)),
            Routes(t_s=3.0, cause="snapshot", routes=(there,)),
            LinkState(t_s=4.0, datapath="s2", neighbour="s3", up=False),
        ]
    )
    route = history.routes["h1", "h2"]
    assert (route.way, route.cause, route.changed_s) == (there.path, "request", 2.0)
    assert history.dead_link_on(there.way) == ("s3", "s2")
    assert history.dead_link_on(here.way) is None
    history.take([LinkState(t_s=5.0, datapath="s2", neighbour="s3", up=True)])
    assert history.dead_link_on(there.way) is None


def test_a_growing_file_gives_every_whole_line_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    growing = GrowingFile(path, Event)
    assert list(growing.new()) == []
    lines = [msgspec.json.encode(Event(t_s=t, event="x")) + b"\n" for t in (1.0, 2.0)]
    with path.open("ab", buffering=0) as file:
        file.write(lines[0] + lines[1][:9])
        assert [event.t_s for event in growing.new()] == [1.0]
        assert list(growing.new()) == []
        file.write(lines[1][9:] + lines[0])
        first = next(iter(growing.new()))  # whoever stops in the middle goes on from there
        assert [first.t_s, *(event.t_s for event in growing.new())] == [2.0, 1.0]

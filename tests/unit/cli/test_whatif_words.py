from __future__ import annotations

import argparse

import pytest

from cli.errors import UserError
from cli.whatif_words import add_scenario_arguments, scenario_of
from topologies.model import Host, Link, LinkShape, Switch, Topology
from twin.situation import Attack, Scenario

CORE, ACCESS = LinkShape(10e6, 2.0, queue_packets=50), LinkShape(1e9, 0.0)


def network() -> Topology:
    return Topology(
        "three",
        (Switch("a", "Rome"), Switch("b", "Bonn"), Switch("c-1", "c-1")),
        tuple(Host(f"h{n}", f"h{n}", s) for n, s in enumerate(("a", "b", "c-1", "a"), 1)),
        (
            Link("a", "b", CORE),
            Link("b", "c-1", CORE),
            *(Link(f"h{n}", s, ACCESS) for n, s in enumerate(("a", "b", "c-1", "a"), 1)),
        ),
    )


def read(*words: str) -> Scenario:
    parser = argparse.ArgumentParser()
    add_scenario_arguments(parser)
    return scenario_of(parser.parse_args(words), network())


def test_nothing_said_is_nothing_happening() -> None:
    assert read() == Scenario()


def test_links_are_named_by_names_or_labels_even_with_hyphens() -> None:
    scenario = read("--fail", "b-c-1", "--fail", "Rome-Bonn", "--fail-switch", "Bonn")
    assert scenario.fail_links == (("b", "c-1"), ("a", "b"))
    assert scenario.fail_switches == ("b",)


def test_traffic_words() -> None:
    scenario = read("--scale", "1.5", "--scale-od", "h1,h2=3", "--attack", "h3=8,2")
    assert scenario.scale == 1.5
    assert scenario.scale_pairs == ((("h1", "h2"), 3.0),)
    assert scenario.attacks == (Attack("h3", 8e6, ("h1", "h2")),)


def test_an_attack_has_three_sources_unless_told() -> None:
    assert read("--attack", "h3=8").attacks[0].sources == ("h1", "h2", "h4")


def test_a_new_link_is_as_the_others_are_unless_told() -> None:
    assert read("--add-link", "a-c-1").add_links == (Link("a", "c-1", CORE),)
    (link,) = read("--add-link", "a-c-1=20,5").add_links
    assert (link.shape.rate_bps, link.shape.delay_ms, link.shape.queue_packets) == (20e6, 5.0, 50)


@pytest.mark.parametrize("option", ["--add-switch", "--add-node"])
def test_a_new_switch_comes_with_its_links_and_may_be_named(option: str) -> None:
    scenario = read(option, "x:a,c-1", "--add-link", "x-b")
    assert scenario.add_switches == (Switch("x", "x"),)
    assert [(link.a, link.b) for link in scenario.add_links] == [
        ("x", "a"),
        ("x", "c-1"),
        ("x", "b"),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--fail", "a-z"), "there is no switch 'z'"),
        (("--fail", "a-c-1"), "there is no link a-c-1: a is joined to b"),
        (("--fail", "a"), "give the two switches"),
        (("--fail-switch", "Bon"), "did you mean Bonn?"),
        (("--scale", "-1"), "give a number from 0 on"),
        (("--scale", "inf"), "give a number from 0 on"),
        (("--scale-od", "h1=3"), "give two hosts and a factor"),
        (("--scale-od", "h1,h1=3"), "two different hosts"),
        (("--scale-od", "h1,h2=many"), "'many' is no number"),
        (("--add-link", "a-b"), "no link joins yet"),
        (("--add-link", "a-a"), "no link joins yet"),
        (("--add-switch", "x"), "what it is joined to"),
        (("--add-switch", "b:a"), "choose another name"),
        (("--attack", "h1"), "the rate in Mbit/s"),
        (("--attack", "h1=8,9"), "there are 3 hosts"),
        (("--attack", "h1=8,0.5"), "'0.5' is no whole number"),
        (("--attack", "h1=0"), "give more than 0"),
        (("--add-link", "a-c-1=0"), "give more than 0"),
        (("--add-link", "a-c-1", "--add-link", "c-1-a"), "added 2 times"),
        (("--add-switch", "x:a", "--add-switch", "x:b"), "x: added 2 times"),
    ],
)
def test_what_cannot_be_meant_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(UserError, match=said):
        read(*words)


def test_all_problems_are_said_at_once() -> None:
    with pytest.raises(UserError, match=r"(?s)--fail a-z.*--attack h9=1"):
        read("--fail", "a-z", "--attack", "h9=1")

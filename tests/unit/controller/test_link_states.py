from __future__ import annotations

from fake_network import ring

from controller.links import Links


def test_a_link_is_dead_while_either_of_its_ports_is_down() -> None:
    links = Links(ring(4))
    both = {("s0", "s1"), ("s1", "s0")}
    assert links.set_port("s0", "s1", up=False)
    assert links.dead == both
    assert links.set_port("s1", "s0", up=False)
    assert links.set_port("s0", "s1", up=True)
    assert links.dead == both
    assert links.set_port("s1", "s0", up=True)
    assert not links.dead


def test_only_changes_are_news() -> None:
    links = Links(ring(3))
    assert not links.set_port("s0", "s1", up=True)
    assert links.set_port("s0", "s1", up=False)
    assert not links.set_port("s0", "s1", up=False)
    assert links.down_ports == (("s0", "s1"),)


def test_an_access_link_is_reported_but_kills_no_path() -> None:
    links = Links(ring(3))
    assert links.set_port("s0", "h0", up=False)
    assert links.down_ports == (("s0", "h0"),)
    assert links.dead_link_on(("s0", "s1")) is None


def test_paths_are_checked_in_both_directions() -> None:
    links = Links(ring(4))
    links.set_port("s2", "s1", up=False)
    assert links.dead_link_on(("s0", "s1", "s2")) == ("s1", "s2")
    assert links.dead_link_on(("s2", "s1", "s0")) == ("s2", "s1")
    assert links.dead_link_on(("s1", "s0", "s3")) is None


def test_around_names_every_direction_of_a_switch() -> None:
    links = Links(ring(4))
    assert links.around(["s0"]) == {("s0", "s1"), ("s1", "s0"), ("s0", "s3"), ("s3", "s0")}
    assert not links.around([])

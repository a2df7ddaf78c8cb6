from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.report import Report, this_machine
from cli.doctor_fidelity import (
    LOADS,
    Fidelity,
    MachineLimit,
    better,
    limit_of,
    limits_sentence,
    limits_table,
    rounded_down,
)
from testbed.reference.capacity import Carried, Limit
from testbed.reference.errors import MeasurementError
from testbed.reference.targets import Target, at_most

LINKS, MBPS, PACKETS = LOADS
FAILED = MeasurementError("the iperf server did not start")


def carried(frames_per_s: float, limit: Limit, links: int = 20, frame_bytes: int = 1514) -> Carried:
    return Carried(links, frame_bytes, frames_per_s, 0.4, limit, None)


def some_limits() -> list[MachineLimit]:
    return [
        limit_of(LINKS, carried(52_000, "lateness", links=63)),
        limit_of(MBPS, carried(61_234, "lateness")),
        limit_of(PACKETS, carried(78_912, "loss", frame_bytes=64)),
    ]


def report(*targets: Target) -> Report:
    return Report("fidelity", this_machine("userspace"), [], targets)


def test_a_limit_is_in_the_unit_of_its_load() -> None:
    links, mbps, packets = some_limits()
    assert links.most == 63
    assert mbps.most == pytest.approx(61_234 * 1514 * 8 / 1e6)
    assert packets.most == 78_912


def test_the_sentence_names_all_limits_and_what_gives_way() -> None:
    sentence = limits_sentence(some_limits())
    assert "up to 63 links of 10 Mbit/s, up to 740 Mbit/s or up to 78,000 packets/s" in sentence
    assert "beyond that frames come late or frames get lost" in sentence


def test_what_was_carried_to_the_end_of_the_search_is_no_upper_bound() -> None:
    sentence = limits_sentence([limit_of(LINKS, carried(165_000, "none", links=200))])
    assert "carry at least 200 links of 10 Mbit/s in all." in sentence
    assert "beyond" not in sentence


def test_the_better_search_counts() -> None:
    low, high = (limit_of(LINKS, carried(1e4, "lateness", links=links)) for links in (9, 130))
    assert better([low, high]) == better([high, low]) == high
    assert better([limit_of(LINKS, FAILED), low]) == low
    assert better([limit_of(LINKS, FAILED)]).most is None


def test_what_could_not_be_measured_is_no_limit_and_shows_its_reason() -> None:
    limits = [limit_of(LINKS, FAILED), *some_limits()[1:]]
    assert "links of 10" not in limits_sentence(limits)
    text = io.StringIO()
    Console(file=text, width=120).print(limits_table(limits))
    assert str(FAILED) in text.getvalue()
    assert not Fidelity(report(), limits).passed


def test_a_machine_that_carries_nothing_does_not_pass() -> None:
    limits = [limit_of(load, carried(0.0, "loss", links=0)) for load in LOADS]
    assert not Fidelity(report(), limits).passed
    assert "not even the least load" in limits_sentence(limits)


def test_links_beyond_their_bounds_do_not_pass() -> None:
    assert Fidelity(report(at_most("error", 0.5, 0.1)), some_limits()).passed
    assert not Fidelity(report(at_most("error", 0.5, 0.9)), some_limits()).passed
    assert not Fidelity(report(at_most("error", 0.5, None)), some_limits()).passed


@given(st.floats(100, 1e9))
def test_figures_are_rounded_down_to_two_digits(figure: float) -> None:
    rounded = rounded_down(figure)
    assert 0.9 * figure < rounded <= figure
    assert len(f"{rounded:.0f}".rstrip("0")) <= 2

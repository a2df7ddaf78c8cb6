"""Numbers that would end in a traceback, or in hours of labs, are refused at once."""

from __future__ import annotations

import argparse
from types import ModuleType

import pytest

from benchmarks import benefit, forecast, generators, recovery, replay, seeds, te, whatif


def parsed(bench: ModuleType, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("bench", "option", "value"),
    [
        (te, "--on-packets", "-1"),
        (te, "--seed", "-1"),
        (te, "--seed", str(2**63)),
        (benefit, "--on-packets", "-1"),
        (benefit, "--seeds", "1"),
        (whatif, "--matrices", "0"),
        (recovery, "--times", "0"),
        (recovery, "--flap-minutes", "nan"),
        (replay, "--steps", "0"),
        (replay, "--step-s", "0"),
        (replay, "--mbps", "-60"),
        (forecast, "--train-days", "inf"),
        (generators, "--dp-epsilon", "0"),
    ],
)
def test_what_means_nothing_is_refused(
    bench: ModuleType, option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parsed(bench, option, value)
    assert f"argument {option}: {value}: give a" in capsys.readouterr().err


def test_seeds_of_a_playbook_are_seeds() -> None:
    assert parsed(seeds, "high-load", "0", "7").seeds == [0, 7]
    with pytest.raises(SystemExit):
        parsed(seeds, "high-load", "1", "-1")


def test_the_least_that_means_something_is_taken() -> None:
    assert parsed(te, "--on-packets", "0", "--seed", str(2**63 - 1)).on_packets == 0
    assert parsed(replay, "--steps", "2", "--step-s", "0.5").step_s == 0.5

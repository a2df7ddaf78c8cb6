"""Numbers on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from cli.arguments import read_positive, read_seed, read_whole
from cli.main import main


@pytest.mark.parametrize(
    ("read", "word", "number"),
    [
        (read_seed, "0", 0),
        (read_seed, "9223372036854775807", 2**63 - 1),
        (read_whole(1), "1", 1),
        (read_positive, "0.5", 0.5),
    ],
)
def test_what_makes_sense_is_a_number(
    read: Callable[[str], float], word: str, number: float
) -> None:
    assert read(word) == number


@pytest.mark.parametrize(
    ("read", "word"),
    [
        *((read_seed, word) for word in ("-1", "9223372036854775808", "one", "1.5")),
        *((read_whole(1), word) for word in ("0", "many")),
        *((read_positive, word) for word in ("0", "-1", "nan", "much")),
    ],
)
def test_what_makes_none_is_named(read: Callable[[str], float], word: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=word):
        read(word)


@pytest.mark.parametrize("seed", ["-1", "18446744073709551616"])
@pytest.mark.parametrize(
    "verb",
    [
        "run ring",
        "demo",
        "whatif ring",
        "generate --model m --out x.npz",
        "train gan --topology ring",
        "train twin-rl --out x.pt",
    ],
)
def test_every_verb_refuses_seeds_that_are_none(
    verb: str, seed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*verb.split(), "--seed", seed])
    assert ended.value.code == 2
    assert f"--seed: {seed}: give a number of at least 0" in capsys.readouterr().err

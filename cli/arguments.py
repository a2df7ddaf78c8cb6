"""Words of the command line: types of numbers for argparse, which refuse what makes no sense."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

HELP_WORDS = ("-h", "--help")

_SEEDS = 1 << 63
"""All generators of random numbers take seeds below it, and every document holds them."""


def read_seed(word: str) -> int:
    """The seed of random numbers."""
    number = _whole(word)
    if not 0 <= number < _SEEDS:
        raise argparse.ArgumentTypeError(f"{word}: give a number of at least 0, and below 2^63")
    return number


def read_whole(least: int) -> Callable[[str], int]:
    """Return the type of whole numbers of at least `least`."""

    def read(word: str) -> int:
        number = _whole(word)
        if number < least:
            raise argparse.ArgumentTypeError(f"{word}: give a whole number of at least {least}")
        return number

    return read


def read_positive(word: str) -> float:
    """A finite quantity above 0."""
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{word}: give a number above 0")
    return number


def _whole(word: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{word}: give a whole number") from None

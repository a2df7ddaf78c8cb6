"""Numbers of the command line, so that none is refused, or misunderstood, hours later."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

_SEEDS = 2**63
"""torch's generators take no more."""


def whole_number(least: int) -> Callable[[str], int]:
    """Return the type of arguments that are whole numbers of at least `least`."""

    def number(word: str) -> int:
        if not word.isdecimal() or int(word) < least:
            raise argparse.ArgumentTypeError(f"{word}: give a whole number of at least {least}")
        return int(word)

    return number


def seed(word: str) -> int:
    """Return what any random generator begins with."""
    if not word.isdecimal() or int(word) >= _SEEDS:
        raise argparse.ArgumentTypeError(f"{word}: give a whole number from 0 to {_SEEDS - 1}")
    return int(word)


def positive(word: str) -> float:
    """Return a finite number above 0."""
    value = float(word)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{word}: give a number above 0")
    return value

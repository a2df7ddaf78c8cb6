"""The kinds of traffic that the GAN makes: a name for each class."""

from __future__ import annotations

from typing import Literal, get_args

Kind = Literal[
    "normal",
    "peak",
    "flash-crowd",
    "failure-aftermath",
    "attack",
    "attack-constant",
    "attack-ramp",
    "attack-pulse",
]
"""Ordinary traffic; the busiest tenth of the history; everybody wants something from one host; one
host was away and is back; a flood beside the traffic, of any or a given shape."""
KINDS: tuple[Kind, ...] = get_args(Kind)

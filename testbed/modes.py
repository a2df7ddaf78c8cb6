"""Ways to run a network without a controller, by the names that users give them."""

from __future__ import annotations

from typing import Literal, TypeGuard, get_args

from testbed import frr

DistributedMode = Literal["spanning-tree", "ospf"]
"""Switches under RSTP, or routers with OSPF and BFD."""

MODES: tuple[DistributedMode, ...] = get_args(DistributedMode)

CONVERGENCE_S = 60.0
"""A mode that has not converged by then never will."""


def is_mode(policy: str) -> TypeGuard[DistributedMode]:
    """Whether a run under `policy` has neither controller nor twin."""
    return policy in MODES


def missing_programs(mode: DistributedMode) -> tuple[str, ...]:
    """What a mode needs beside what every lab needs, and this machine has not."""
    return frr.missing_programs() if mode == "ospf" else ()

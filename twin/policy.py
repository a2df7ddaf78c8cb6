"""The interface of a reroute policy: a view of the network in, reroutes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from topologies.model import Ways
from twin.view import TwinView


@dataclass(frozen=True)
class Proposal:
    """Reroutes that a policy wants, and why in one word."""

    moves: Ways
    reason: str


@runtime_checkable
class Policy(Protocol):
    """Decides about reroutes. One object lives as long as the twin and may keep state.

    A policy with the attribute `stops_floods = True` also has the twin raise alarms, and drop
    floods where they enter the network; one with `drains_links = True` has it move all pairs off
    links that are forecast to fail. With `never_worse = True`, reroutes that the model finds worse
    than none (`effect.py`) are not asked for.
    """

    name: str

    def decide(self, view: TwinView) -> Proposal | None:
        """Return reroutes to be made now, or None.

        Called about four times a second with fresh counters, and at once after a change of link
        state; not while an earlier proposal is being carried out.
        """
        ...

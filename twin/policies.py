"""The shipped reroute policies, and how a name becomes one."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path as FilePath
from typing import cast

import numpy as np

from testbed.modes import MODES
from topologies.model import DirectedLink
from twin.effect import effect
from twin.greedy import GreedyPolicy
from twin.learned_policy import LearnedPolicy
from twin.optimise import COMFORTABLE_UTILISATION, Plan
from twin.policy import Policy, Proposal
from twin.view import TwinView


class ShortestPathPolicy:
    """Never moves anything: the controller's own routing stands, and the twin is its shadow."""

    name = "shortest-path"

    def decide(self, view: TwinView) -> None:  # noqa: ARG002
        """Propose nothing."""
        return


class EqualCostPolicy(ShortestPathPolicy):
    """The same over a controller that splits every pair over its paths of fewest hops (ECMP)."""

    name = "ecmp"


class TwinPolicy:
    """Re-optimises at once after a failure, and relieves links that are or will be hot.

    Hysteresis: it acts on a hot link only if the ports and the model agree that it is one and the
    model predicts a clear gain, and then leaves the network alone for a while; the longer, the
    more reroutes follow each other (as in route flap damping, RFC 2439). The less the gains of its
    reroutes came true lately, the more it asks for and the longer it rests.
    """

    name = "twin"
    stops_floods = True
    drains_links = True
    never_worse = True

    HOT = 0.9
    """Utilisation, measured or forecast, that calls for relief."""
    NEARLY_HOT = 0.8
    """Utilisation that the model must see behind ports that run hot: else it lacks the cause."""
    GAIN = 0.05
    """Smallest fall of the maximum utilisation worth a reroute."""
    DELAY_GAIN = 0.1
    """Else, the smallest fall of the mean delay worth one, as a share: where a cut of the network
    keeps the maximum where it is, all else can still be relieved."""
    HOLD_S, LONGEST_HOLD_S = 0.7, 4.0
    """Rest after a reroute, doubled with each that follows within the longest."""
    RETRY_S = 1.5
    """Rest after a search that found no gain, unless the utilisation has changed since."""
    HURRY_S = 0.025
    """Processor time to search."""

    def __init__(self) -> None:
        self._down: frozenset[DirectedLink] = frozenset()
        self._rest_until_s = -np.inf
        self._in_vain_until_s = -np.inf
        self._in_vain_at = 0.0
        self._acted_s = -np.inf
        self._hold_s = self.HOLD_S

    def decide(self, view: TwinView) -> Proposal | None:
        """Propose reroutes after a change of link state, or for a hot link."""
        if view.down != self._down:
            reason = "failure" if view.down - self._down else "recovery"
            self._down = view.down
            return self._relief(view, reason)
        if view.now_s < self._rest_until_s:
            return None
        predicted = view.what_ifs({}, view.matrices_bps).max_utilisation.tolist()
        if not self._is_hot(view, predicted) or self._is_known_in_vain(view, predicted):
            return None
        return self._relief(view, "hot-link")

    def _is_hot(self, view: TwinView, predicted: list[float]) -> bool:
        now, *soon = predicted
        if any(utilisation >= self.HOT for utilisation in soon):
            return True
        measured = np.nan_to_num(view.utilisation).max(initial=0.0)
        return bool(measured >= self.HOT and now >= self.NEARLY_HOT)

    def _is_known_in_vain(self, view: TwinView, predicted: list[float]) -> bool:
        as_then = abs(max(predicted) - self._in_vain_at) < self.GAIN
        return as_then and view.now_s < self._in_vain_until_s

    def _relief(self, view: TwinView, reason: str) -> Proposal | None:
        plan = self._plan(view)
        if plan is None:
            self._in_vain_at = float(view.what_ifs({}, view.matrices_bps).max_utilisation.max())
            self._in_vain_until_s = view.now_s + self.RETRY_S
            return None
        again = view.now_s < self._acted_s + self.LONGEST_HOLD_S
        self._hold_s = min(2 * self._hold_s, self.LONGEST_HOLD_S) if again else self.HOLD_S
        self._acted_s = view.now_s
        self._rest_until_s = view.now_s + self._hold_s / view.gain_trust
        return Proposal(plan.moves, reason)

    def _plan(self, view: TwinView) -> Plan | None:
        """The best moves; or, where these cost too much, only those that cool the hottest links."""
        cooled = self.HOT - self.GAIN
        for comfortable, hurry_s in (
            (COMFORTABLE_UTILISATION, self.HURRY_S),
            (cooled, self.HURRY_S / 5),
        ):
            plan = view.best_moves(view.matrices_bps, budget_s=hurry_s, comfortable=comfortable)
            if not plan.moves:
                return None
            if self._gains(view, plan):
                return plan
        return None

    def _gains(self, view: TwinView, plan: Plan) -> bool:
        """Whether it is worth the churn, and nothing is the worse for it."""
        what = effect(view, plan.moves)
        if what.is_worse:
            return False
        fall = plan.max_utilisation_before - plan.max_utilisation
        faster = what.after.mean_delay_ms <= what.before.mean_delay_ms * (1 - self.DELAY_GAIN)
        return fall >= self.GAIN / view.gain_trust or faster


SHIPPED: Mapping[str, type[Policy]] = {
    ShortestPathPolicy.name: ShortestPathPolicy,
    EqualCostPolicy.name: EqualCostPolicy,
    GreedyPolicy.name: GreedyPolicy,
    TwinPolicy.name: TwinPolicy,
    LearnedPolicy.name: LearnedPolicy,
}


_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,39}", re.ASCII)
"""It is part of a run directory's name."""

ENTRY_POINTS = "twinbed.policies"
"""The group in which an installed package announces policies of its own."""


class UnknownPolicyError(Exception):
    """A policy reference names nothing that can be used; the message says why and what can."""


def resolve(reference: str) -> Policy:
    """Return the policy of a shipped name, of an entry point, or of `module:Class`.

    A module is looked for in this folder and on the import path.

    Raises:
        UnknownPolicyError: there is no such policy, or it is not one.
    """
    try:
        policy = _factory(reference)()
    except UnknownPolicyError:
        raise
    except (Exception, SystemExit) as error:  # a module may be a script
        raise UnknownPolicyError(
            f"policy {reference!r} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(policy, Policy) or not isinstance(policy.name, str):
        raise UnknownPolicyError(f"policy {reference!r} has no name (a string) or no decide(view)")
    if not _NAME.fullmatch(policy.name) or policy.name in MODES:
        raise UnknownPolicyError(
            f"policy {reference!r} calls itself {policy.name!r}: give it a name of at most 40 "
            f"letters, digits, '_', '-' and '.', that is none of {', '.join(MODES)}"
        )
    return policy


def _factory(reference: str) -> Callable[[], Policy]:
    if reference in SHIPPED:
        return SHIPPED[reference]
    announced = {one.name: one for one in entry_points(group=ENTRY_POINTS)}
    module_name, colon, class_name = reference.partition(":")
    if reference not in announced and not (colon and module_name and class_name):
        known = ", ".join((*SHIPPED, *announced, *MODES))
        raise UnknownPolicyError(
            f"unknown policy {reference!r}: known are {known}; one of your own is module:Class"
        )
    here = str(FilePath.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last, so that a user's file never hides a module of ours
    if reference in announced:
        factory = announced[reference].load()
    else:
        factory = getattr(importlib.import_module(module_name), class_name)
    return cast(Callable[[], Policy], factory)

"""A policy on a leash: one that raises, hangs, or asks for nonsense does the network no harm.

It decides in a thread of its own. One that does not come back in time is not asked again until it
has, and what it says then is thrown away; meanwhile the twin goes on mirroring. A proposal that
could not be carried out is refused as a whole: its moves may rest on each other.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from typing import Any

from controller.links import Links
from controller.reroute import refusal_reason
from topologies.model import Split
from twin.policy import Policy, Proposal
from twin.records import PolicyProblem
from twin.view import TwinView

PATIENCE_S = 1.0
"""Longer than a decision may take: counters are four times as fast."""


class ContainedPolicy:
    """Asks a policy for its decisions, and gathers what goes wrong."""

    def __init__(self, policy: Policy, patience_s: float = PATIENCE_S) -> None:
        self.name = policy.name
        self._policy = policy
        self._patience_s = patience_s
        self._questions: SimpleQueue[TwinView] = SimpleQueue()
        self._answers: SimpleQueue[object] = SimpleQueue()
        self._is_out = False
        self._problems: list[PolicyProblem] = []
        self._thread = threading.Thread(target=self._decide_forever, name="policy", daemon=True)
        self._thread.start()

    def decide(self, view: TwinView) -> Proposal | None:
        """What the policy wants, if it wants something that can be done."""
        if self._is_out and not self._has_come_back():
            return None
        self._questions.put(view)
        try:
            answer = self._answers.get(timeout=self._patience_s)
        except Empty:
            self._is_out = True
            self._note(view, "hung", f"it had not decided after {self._patience_s:g} s")
            return None
        return self._checked(answer, view)

    def take_problems(self) -> list[PolicyProblem]:
        """What has gone wrong since the last call."""
        problems, self._problems = self._problems, []
        return problems

    def _has_come_back(self) -> bool:
        try:
            self._answers.get_nowait()
        except Empty:
            return False
        self._is_out = False
        return True

    def _decide_forever(self) -> None:
        while True:
            view = self._questions.get()
            try:
                answer: object = self._policy.decide(view)
            except BaseException as error:  # noqa: BLE001 - not our code: whatever it raises
                answer = _Raised(error)
            self._answers.put(answer)

    def _checked(self, answer: object, view: TwinView) -> Proposal | None:
        match answer:
            case None:
                return None
            case _Raised(said=said):
                self._note(view, "raised", said)
            case Proposal(moves=moves, reason=str()) if isinstance(moves, Mapping):
                if not (why := _nonsense(moves, view)):
                    return answer
                self._note(view, "nonsense", why)
            case _:
                self._note(view, "nonsense", f"{_shown(answer)} is neither a Proposal nor None")
        return None

    def _note(self, view: TwinView, kind: Any, detail: str) -> None:
        self._problems.append(PolicyProblem(t_s=view.now_s, kind=kind, detail=detail))


class _Raised:
    """What a policy raised, and where."""

    __match_args__ = ("said",)

    def __init__(self, error: BaseException) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        self.said = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"


def _nonsense(moves: Mapping[Any, Any], view: TwinView) -> str | None:
    """Why these moves cannot be made, if so."""
    links = _links(view)
    everywhere = {switch.name for switch in view.topology.switches}
    for pair, path in moves.items():
        match pair, path:
            case (str(), str()), Split():
                why = refusal_reason(view.topology, links, everywhere, pair, path)
            case (str(), str()), tuple() if all(isinstance(hop, str) for hop in path):
                why = refusal_reason(view.topology, links, everywhere, pair, path)
            case _:
                why = "a move is a pair of host names, and a tuple of switch names"
        if why:
            return f"{_shown(pair)} by {_shown(path)}: {why}"
    return None


def _links(view: TwinView) -> Links:
    links = Links(view.topology)
    for here, there in view.down | view.drained:
        links.set_port(here, there, up=False)
    return links


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

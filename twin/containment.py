"""A policy on a leash: one that raises, hangs, or asks for nonsense does the network no harm.

It decides in a thread of its own, where its answer is also copied into plain tuples: once it has
been made, none of its code runs in the twin's. A slow answer is taken when it has come; meanwhile
the twin goes on mirroring. One that does not come in time is thrown away, and until then nothing
more is asked. A proposal that could not be carried out is refused as a whole: its moves may rest on
each other.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from controller.links import Links
from controller.reroute import refusal_reason
from topologies.model import OdPair, Path, Split, Way, Ways
from twin.policy import Policy, Proposal
from twin.records import PolicyProblem, ProblemKind
from twin.view import TwinView

PATIENCE_S = 1.0
"""Longer than a decision may take: counters are four times as fast."""
WAIT_S = 0.25
"""So long the twin waits for an answer; then it looks whether it has come with every step."""


class ContainedPolicy:
    """Asks a policy for its decisions, and gathers what goes wrong."""

    def __init__(self, policy: Policy, patience_s: float = PATIENCE_S) -> None:
        self.name = _legible(policy.name)
        self._policy = policy
        self._patience_s = patience_s
        self._questions: SimpleQueue[TwinView] = SimpleQueue()
        self._answers: SimpleQueue[Proposal | _Problem | None] = SimpleQueue()
        self._asked_s: float | None = None
        """CLOCK_MONOTONIC; None: no answer is awaited."""
        self._is_out = False
        self._problems: list[PolicyProblem] = []
        self._thread = threading.Thread(target=self._decide_forever, name="policy", daemon=True)
        self._thread.start()

    def decide(self, view: TwinView) -> Proposal | None:
        """What the policy wants, if it wants something that can be done: now, or when last asked.

        `view` is shown to it, unless it is still busy with an earlier one.
        """
        wait_s = 0.0
        if self._asked_s is None:
            self._questions.put(view)
            self._asked_s = time.monotonic()
            wait_s = min(WAIT_S, self._patience_s)
        try:
            answer = self._answers.get(timeout=wait_s)
        except Empty:
            if not self._is_out and self._is_late(self._asked_s):
                self._is_out = True
                self._note(view, "hung", f"it had not decided after {self._patience_s:g} s")
            return None
        is_stale = self._is_late(self._asked_s)
        self._asked_s, self._is_out = None, False
        return None if is_stale else self._checked(answer, view)

    def take_problems(self) -> list[PolicyProblem]:
        """What has gone wrong since the last call."""
        problems, self._problems = self._problems, []
        return problems

    def _is_late(self, asked_s: float) -> bool:
        return time.monotonic() - asked_s >= self._patience_s

    def _decide_forever(self) -> None:
        while True:
            self._answers.put(self._answer(self._questions.get()))

    def _answer(self, view: TwinView) -> Proposal | _Problem | None:
        try:
            return _plain(self._policy.decide(view))
        except BaseException as error:  # noqa: BLE001 - not our code: whatever it raises
            return _Problem("raised", _said(error))

    def _checked(self, answer: Proposal | _Problem | None, view: TwinView) -> Proposal | None:
        if isinstance(answer, _Problem):
            self._note(view, answer.kind, answer.detail)
            return None
        if answer is not None and (why := _nonsense(answer.moves, view)):
            self._note(view, "nonsense", why)
            return None
        return answer

    def _note(self, view: TwinView, kind: ProblemKind, detail: str) -> None:
        self._problems.append(PolicyProblem(t_s=view.now_s, kind=kind, detail=detail))


@dataclass(frozen=True)
class _Problem:
    """What was wrong with an answer."""

    kind: ProblemKind
    detail: str


def _said(error: BaseException) -> str:
    """What a policy raised, and where."""
    try:
        message = str(error)
    except BaseException:  # noqa: BLE001 - not our code either
        message = "its message cannot be shown"
    where = traceback.extract_tb(error.__traceback__)[-1]
    return _legible(f"{type(error).__name__}: {message} ({where.filename}:{where.lineno})")


def _plain(answer: object) -> Proposal | _Problem | None:
    """The same in tuples and strings of Python's own. Runs the policy's code."""
    match answer:
        case None:
            return None
        case Proposal(moves=moves, reason=str(reason)) if isinstance(moves, Mapping):
            plain: dict[OdPair, Way] = {}
            for pair, way in moves.items():
                try:
                    plain[_plain_pair(pair)] = _plain_way(way)
                except (TypeError, ValueError):
                    why = "a move is a pair of host names, and a tuple of switch names"
                    shown = f"{_shown(pair)} by {_shown(way)}: {why}"
                    return _Problem("nonsense", shown)
            return Proposal(plain, _legible(reason))
    return _Problem("nonsense", f"{_shown(answer)} is neither a Proposal nor None")


def _plain_pair(pair: object) -> OdPair:
    match pair:
        case (source, target) if isinstance(pair, tuple):
            return _plain_name(source), _plain_name(target)
    raise TypeError


def _plain_way(way: object) -> Way:
    if not isinstance(way, Split):
        return _plain_path(way)
    branches = tuple((_plain_path(path), _plain_weight(weight)) for path, weight in way.branches)
    if not branches:
        raise ValueError
    return Split(branches)


def _plain_path(path: object) -> Path:
    if not isinstance(path, tuple):
        raise TypeError
    return tuple(map(_plain_name, path))


def _plain_weight(weight: object) -> int:
    if not isinstance(weight, int):
        raise TypeError
    return int(weight)


def _plain_name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError
    return str.__str__(name)


def _nonsense(moves: Ways, view: TwinView) -> str | None:
    """Why these moves cannot be made, if so."""
    links = _links(view)
    everywhere = {switch.name for switch in view.topology.switches}
    for pair, way in moves.items():
        if why := refusal_reason(view.topology, links, everywhere, pair, way):
            return _legible(f"{_shown(pair)} by {_shown(way)}: {why}")
    return None


def _links(view: TwinView) -> Links:
    links = Links(view.topology)
    for here, there in view.down | view.drained:
        links.set_port(here, there, up=False)
    return links


def _shown(value: object) -> str:
    text = _legible(repr(value))
    return text if len(text) <= 80 else f"{text[:77]}..."


def _legible(text: str) -> str:
    """What can be written as UTF-8: a lone surrogate cannot."""
    return str.__str__(text).encode(errors="backslashreplace").decode()

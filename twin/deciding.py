"""Decisions: what a policy proposes, what of it is asked for, and what came of it."""

from __future__ import annotations

from controller.messages import Reroute, RerouteDone, route_of
from topologies.model import DirectedLink, Topology
from twin.containment import ContainedPolicy
from twin.draining import Drain
from twin.effect import effect
from twin.feedback import DecisionWatch
from twin.indexing import FloatArray
from twin.mirror import Mirror
from twin.output import Output, RequestIds
from twin.policy import Policy, Proposal
from twin.records import Decision
from twin.trust import GainTrust
from twin.view import TwinView


class Deciding:
    """A policy at work, one decision at a time."""

    def __init__(self, topology: Topology, policy: Policy, ids: RequestIds) -> None:
        self.trust = GainTrust()
        self._policy = ContainedPolicy(policy)
        self._ids = ids
        self._watch = DecisionWatch()
        self._drain = Drain(topology)
        self._drains_links: bool = getattr(policy, "drains_links", False)
        self._never_worse: bool = getattr(policy, "never_worse", False)

    @property
    def busy(self) -> bool:
        """Whether an earlier decision is being carried out."""
        return self._watch.busy

    def forget(self) -> None:
        """A new controller knows nothing of what its predecessor was asked for."""
        self._watch.forget()

    def answer(self, done: RerouteDone) -> None:
        """The controller has carried out what it could."""
        self._watch.answer(done)

    def drained(
        self, failing: frozenset[DirectedLink], down: frozenset[DirectedLink]
    ) -> frozenset[DirectedLink]:
        """The links that routes are to leave, and those that they have left for that."""
        return self._drain.links(failing, down)

    def outcomes(self, mirror: Mirror, rate_bps: FloatArray, now_s: float, out: Output) -> None:
        """Record what came of earlier decisions, and how far their promises came true."""
        for decision, outcome in self._watch.outcomes(mirror, rate_bps, now_s):
            out.records += [outcome, *self.trust.score(decision, outcome)]

    def decide(
        self,
        view: TwinView,
        failing: frozenset[DirectedLink],
        telemetry_age_s: float,
        out: Output,
    ) -> None:
        """Ask for the moves that lead off `failing` links, else for those that the policy wants."""
        proposal = self._drain.propose(failing, view) if self._drains_links else None
        if proposal is None:
            proposal = self._proposed(view, out)
        if proposal is None:
            return
        decision = self._decision(proposal, view, telemetry_age_s)
        self._watch.ask(decision)
        out.records.append(decision)
        out.requests.append(Reroute(decision.decision_id, decision.moves))

    def _proposed(self, view: TwinView, out: Output) -> Proposal | None:
        proposal = self._policy.decide(view)
        out.records += self._policy.take_problems()
        if proposal is None or not proposal.moves:
            return None
        if self._never_worse and effect(view, proposal.moves).is_worse:
            return None
        return proposal

    def _decision(self, proposal: Proposal, view: TwinView, telemetry_age_s: float) -> Decision:
        before, after = view.what_if({}), view.what_if(proposal.moves)
        return Decision(
            t_s=view.now_s,
            decision_id=self._ids.new(view.now_s),
            policy=self._policy.name,
            reason=proposal.reason,
            moves=tuple(route_of(pair, way) for pair, way in proposal.moves.items()),
            telemetry_age_ms=telemetry_age_s * 1e3,
            predicted_mlu_before=before.max_utilisation,
            predicted_mlu_after=after.max_utilisation,
            predicted_mean_delay_ms_before=before.mean_delay_ms,
            predicted_mean_delay_ms_after=after.mean_delay_ms,
        )

"""How far the gains that the model promises come true, and with it how ready a policy should be."""

from __future__ import annotations

import numpy as np

from twin.cusum import Cusum
from twin.records import Decision, DecisionOutcome, Drift, GainScored

_FOLLOW = 0.3
_BOUNDS = (0.25, 1.25)
_LEAST_GAIN = 0.03  # a smaller fall of the maximum utilisation is none to be measured
_TOLERANCE = 0.1  # of a link's rate


class GainTrust:
    """The share of the promised gains that came true lately: 1 is all of them."""

    def __init__(self, share: float = 1.0) -> None:
        self.share = share
        self._cusum = Cusum(1)

    def score(self, decision: Decision, outcome: DecisionOutcome) -> list[GainScored | Drift]:
        """Compare the fall of the maximum utilisation with the one promised.

        A decision that was for something else than that, or was not carried out, says nothing;
        nor does one whose effect was not measured.
        """
        promised = decision.predicted_mlu_before - decision.predicted_mlu_after
        if promised < _LEAST_GAIN or not outcome.applied or outcome.measured_mlu is None:
            return []
        realised = decision.predicted_mlu_before - outcome.measured_mlu
        share = np.clip(realised / promised, 0.0, 2.0)
        self.share = float(np.clip(self.share + _FOLLOW * (share - self.share), *_BOUNDS))
        scored: list[GainScored | Drift] = [
            GainScored(
                t_s=outcome.t_s,
                decision_id=decision.decision_id,
                promised=promised,
                realised=realised,
                trust=self.share,
            )
        ]
        if self._cusum.add(np.array([(realised - promised) / _TOLERANCE])).any():
            begun = bool(self._cusum.drifting[0])
            scored.append(
                Drift(
                    t_s=outcome.t_s,
                    quantity="gain",
                    subject=None,
                    begun=begun,
                    predicted=promised,
                    measured=realised,
                )
            )
        return scored

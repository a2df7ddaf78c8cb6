"""What reroutes change in the model, and whether that is for the worse.

Worse is: more is lost, or the busiest link is busier, or the mean delay is longer. Where the
busiest link is relieved clearly, the delay may be a little longer: the maximum comes first, and on
a network with one link at 92 % there is hardly a way round it that is not (Abilene: 2 of 12).
"""

from __future__ import annotations

from dataclasses import dataclass

from topologies.model import Ways
from twin.indexing import FloatArray
from twin.model import Predictions
from twin.view import TwinView

ROUNDING = 1e-3
"""Less than packets can show: a thousandth of a link's rate, of the mean delay, of the traffic."""
CLEAR_FALL = 0.05
"""Of the maximum utilisation: worth a longer delay."""
DELAY_COST = 0.05
"""The most that the mean delay may then grow, as a share."""


@dataclass(frozen=True)
class Figures:
    """A network in three numbers, over the matrices that count (`TwinView.matrices_bps`)."""

    max_utilisation: float
    """Of the core links, under the worst of the matrices."""
    mean_delay_ms: float
    """Mean over the matrices."""
    loss: float
    """Share of all that is sent; pairs without a path lose all."""


@dataclass(frozen=True)
class Effect:
    """The network as it stands, and after the moves."""

    before: Figures
    after: Figures

    @property
    def is_worse(self) -> bool:
        """Whether the network is better left as it is."""
        before, after = self.before, self.after
        fall = before.max_utilisation - after.max_utilisation
        delay_cost = DELAY_COST if fall >= CLEAR_FALL else ROUNDING
        return (
            fall < -ROUNDING
            or after.loss > before.loss + ROUNDING
            or after.mean_delay_ms > before.mean_delay_ms * (1 + delay_cost)
        )


def effect(view: TwinView, moves: Ways) -> Effect:
    """Ask the model about `moves`."""
    sent_bps = view.matrices_bps
    before, after = (view.what_ifs(each, sent_bps) for each in ({}, moves))
    return Effect(_figures(before, sent_bps), _figures(after, sent_bps))


def _figures(predicted: Predictions, sent_bps: FloatArray) -> Figures:
    total = float(sent_bps.sum())
    return Figures(
        max_utilisation=float(predicted.max_utilisation.max()),
        mean_delay_ms=float(predicted.mean_delay_ms.mean()),
        loss=float((sent_bps * predicted.od_loss).sum()) / total if total else 0.0,
    )

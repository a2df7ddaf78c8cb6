"""What the twin writes down while it runs (`twin.jsonl` of the run directory), one per line.

Times are seconds of CLOCK_MONOTONIC. Per-pair arrays follow `Topology.od_pairs`, per-link arrays
`Topology.core_directions`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from controller.messages import Route
from topologies.model import DirectedLink


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What all records have in common."""

    t_s: float


class Mirrored(Record, frozen=True, tag="mirrored"):
    """The mirror holds the whole network: from now on the twin decides.

    Written after every connection to the controller, the first and those after a loss.
    """


class ModelsLoaded(Record, frozen=True, tag="models-loaded"):
    """Forecasts and imputation are learnt ones from now on; until then they were naive."""


class ForecastScored(Record, frozen=True, tag="forecast-scored"):
    """A forecast of the mean rates over [start_s, end_s), written when the actual is known."""

    made_at_s: float
    start_s: float
    end_s: float
    horizon: int
    """In intervals, from 1."""
    od_forecast_bps: tuple[float, ...]
    od_persistence_bps: tuple[float, ...]
    """The naive forecast: the last complete interval before `made_at_s`."""
    od_mean_bps: tuple[float, ...]
    """The other naive forecast: the mean of all intervals seen before `made_at_s`."""
    od_actual_bps: tuple[float | None, ...]
    """None where there were no counters, or none to be trusted."""
    link_forecast_bps: tuple[float, ...]
    link_actual_bps: tuple[float | None, ...]
    od_lower_bps: tuple[float, ...] = ()
    """Nine in ten actual rates are expected between these and `od_upper_bps`; none: no band."""
    od_upper_bps: tuple[float, ...] = ()


class DelayPredicted(Record, frozen=True, tag="delay-predicted"):
    """The model's mean one-way delay (host to host) under the load and routes of [start_s, end_s).

    Made from the telemetry of the interval alone, never from probes. None where a pair had no
    route for some of it, or a link no counters.
    """

    start_s: float
    end_s: float
    od_delay_ms: tuple[float | None, ...]
    link_utilisation: tuple[float | None, ...]


class Alarm(Record, frozen=True, tag="alarm"):
    """The network does not behave as its mirror expects."""

    victim: str
    sources: tuple[str, ...]
    score: float
    """How far beyond the alarm threshold, 1 being on it."""
    explanation: str


class Decision(Record, frozen=True, tag="decision"):
    """What a policy decided, with what the model predicts of it."""

    decision_id: str
    policy: str
    reason: str
    """One of "failure", "hot-link", "drain" or a policy's own word."""
    moves: tuple[Route, ...]
    telemetry_age_ms: float
    """Age of the newest counter when the decision was made (staleness)."""
    predicted_mlu_before: float
    predicted_mlu_after: float
    predicted_mean_delay_ms_before: float
    predicted_mean_delay_ms_after: float


ProblemKind = Literal["raised", "hung", "nonsense"]


class PolicyProblem(Record, frozen=True, tag="policy-problem"):
    """The policy failed, and the network was left as it was."""

    kind: ProblemKind
    detail: str


class DropDecision(Record, frozen=True, tag="drop-decision"):
    """The twin asked for a pair to be dropped at its ingress, following an alarm."""

    decision_id: str
    src: str
    dst: str
    telemetry_age_ms: float


class DropOutcome(Record, frozen=True, tag="drop-outcome"):
    """The controller's answer to a drop."""

    decision_id: str
    applied_s: float
    refused: str


class DecisionOutcome(Record, frozen=True, tag="decision-outcome"):
    """What then happened: the controller's answer, and the load measured afterwards."""

    decision_id: str
    switched_s: float
    applied: int
    refused: tuple[str, ...]
    measured_mlu: float | None
    """None: there were no counters of some link."""
    predicted_mlu: float


class Calibration(Record, frozen=True, tag="calibration"):
    """The feedback loop: the model's correction after comparing prediction and outcome."""

    name: str
    before: float
    after: float
    error: float


class LinksScored(Record, frozen=True, tag="links-scored"):
    """What the model made of the second [start_s, t_s) from its matrix and routes, and what was
    measured of it, by ports and by the controller's probes; None is what is not known."""

    start_s: float
    believed_bps: tuple[float | None, ...]
    """What each link was believed to carry."""
    predicted_bps: tuple[float | None, ...]
    """Offered to each link."""
    measured_bps: tuple[float | None, ...]
    predicted_loss: tuple[float | None, ...]
    measured_loss: tuple[float | None, ...]
    predicted_delay_ms: tuple[float | None, ...]
    measured_delay_ms: tuple[float | None, ...]


class CapacityLearnt(Record, frozen=True, tag="capacity-learnt"):
    """The feedback loop: a link carries less, or more, than was believed."""

    sender: str
    receiver: str
    configured_bps: float
    before_bps: float
    after_bps: float
    loss: float
    """Share of the packets that it lost meanwhile."""


DriftQuantity = Literal["load", "loss", "delay", "gain"]


class Drift(Record, frozen=True, tag="drift"):
    """The model's predictions have been off for a while (`begun`), or are right again."""

    quantity: DriftQuantity
    """Load in bit/s, loss as a share, delay in ms of a link; gain of reroutes in utilisation."""
    subject: DirectedLink | None
    begun: bool
    predicted: float
    """The last of the values that it rests on."""
    measured: float


class GainScored(Record, frozen=True, tag="gain-scored"):
    """The fall of the maximum utilisation that a decision promised, and the one that came."""

    decision_id: str
    promised: float
    realised: float
    trust: float
    """The share that came true lately: what the hysteresis goes by from now on."""


FailingSign = Literal["loss", "delay"]


class LinkFailing(Record, frozen=True, tag="link-failing"):
    """A direction of a link is forecast to fail, or fails already (`lead_s` 0)."""

    sender: str
    receiver: str
    sign: FailingSign
    level: float
    """Share of the packets that it loses, or ms that it delays more than it should."""
    per_s: float
    """Growth of it."""
    failing: float
    """The level from which the link counts as failed."""
    lead_s: float
    """Until then, as it goes on."""
    confidence: float
    """That it grows at all (Mann-Kendall); of what fails already, that it is bad."""


class LinkMended(Record, frozen=True, tag="link-mended"):
    """A direction that was failing has been without a sign of it for long enough."""

    sender: str
    receiver: str
    after_s: float


class Imputation(Record, frozen=True, tag="imputation"):
    """A telemetry gap of one switch, filled; scored when the counters came back.

    Rates are means over [start_s, end_s) of the OD pairs that enter at `datapath`, in the order
    of `Topology.od_pairs`. The actual is the difference of the cumulative counters.
    """

    datapath: str
    start_s: float
    end_s: float
    vae_bps: tuple[float, ...]
    linear_bps: tuple[float, ...]
    actual_bps: tuple[float, ...]


class Distrusted(Record, frozen=True, tag="distrusted"):
    """The pairs whose counters are stuck, or jump: from now on they are filled like gaps.

    Written when they change; none: all are trusted again.
    """

    pairs: tuple[tuple[str, str], ...]


class Health(Record, frozen=True, tag="health"):
    """How the twin itself is doing, every few seconds."""

    cpu_percent: float
    tick_ms_p95: float
    messages: int
    telemetry_age_ms_p95: float


TwinRecord = (
    Mirrored
    | ModelsLoaded
    | ForecastScored
    | DelayPredicted
    | Alarm
    | Decision
    | PolicyProblem
    | DropDecision
    | DropOutcome
    | DecisionOutcome
    | Calibration
    | LinksScored
    | CapacityLearnt
    | Drift
    | GainScored
    | LinkFailing
    | LinkMended
    | Imputation
    | Distrusted
    | Health
)

"""What a playbook expects of its metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from topologies.validation import Number, Section


def _each(name: str, *parts: str) -> tuple[str, ...]:
    return tuple(f"{name}.{part}" for part in parts)


METRICS = (
    *_each("latency_ms", "mean", "p50", "p95", "p99"),
    *_each("probe_latency_ms", "mean", "p50", "p95", "p99"),
    *("packets_lost", "error_rate_percent", "probe_loss_percent"),
    *("goodput_mbps", "utilisation_percent", "tcp_delivered_percent"),
    *_each("max_link_utilisation", "mean", "p95"),
    *_each("te_ratio", "mean", "p95"),
    *_each("outage_ms", "p50", "p95", "max", "n", "never_recovered"),
    *("predictive_accuracy_percent", "predictive_skill", "twin_latency_mape_percent"),
    *_each("model_error_percent", "begin", "end"),
    *_each("staleness_ms", "p50", "p95"),
    *("detection_s", "mitigation_s", "goodput_restored_s", "goodput_restored_percent"),
    *("false_alarms", "floods_undetected", "replay_wape_percent", "policy_problems"),
)
"""Every metric that a playbook can expect something of, by its dotted name in a run's summary."""


class Bound(Section):
    """Where a metric has to lie."""

    min: Number | None = Field(default=None, description="give the least value that is right")
    max: Number | None = Field(default=None, description="give the greatest value that is right")

    @model_validator(mode="after")
    def _holds_for_something(self) -> Bound:
        if self.min is None and self.max is None:
            raise PydanticCustomError("bound", "says neither min nor max")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError("bound", "has a min above its max")
        return self

    def __str__(self) -> str:
        least = [] if self.min is None else [f"at least {self.min:g}"]
        return " and ".join(least + ([] if self.max is None else [f"at most {self.max:g}"]))

    def holds(self, value: float) -> bool:
        """Whether `value` lies within."""
        least = -math.inf if self.min is None else self.min
        return least <= value <= (math.inf if self.max is None else self.max)


def unmet(expect: Mapping[str, Bound], metrics: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for every expectation that `metrics` (nested, by name) do not meet.

    A metric that was not measured meets none.
    """
    for name, bound in expect.items():
        value: Any = metrics
        for part in name.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is None:
            yield f"{name} was not measured; expected {bound}"
        elif not bound.holds(value):
            yield f"{name} is {value:g}; expected {bound}"

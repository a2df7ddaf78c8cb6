"""The bounds within which a playbook wants the fidelity of its runs."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from results.bounds import Bounds
from topologies.documents import ANY, Document, Problem
from topologies.validation import Number, Section

_DEFAULT = Bounds()


class FidelityBound(Section):
    """The most that a measure may reach."""

    degraded: Number | None = Field(
        default=None, ge=0, description="give the most of a run that is not degraded"
    )
    invalid: Number | None = Field(
        default=None, ge=0, description="give the most of a run that is still a result"
    )

    @model_validator(mode="after")
    def _in_order(self) -> FidelityBound:
        if self.degraded is not None and self.invalid is not None and self.degraded > self.invalid:
            raise PydanticCustomError("bound", "has degraded above invalid")
        return self


def _of(name: str, description: str) -> FidelityBound:
    """A field of the section below, with the project's own bound as its default."""
    default = msgspec.structs.asdict(getattr(_DEFAULT, name))
    field: FidelityBound = Field(
        default=FidelityBound(**default), description=f"give degraded and invalid: {description}"
    )
    return field


class FidelitySection(Section):
    """How well the machine has to carry a run. The project's own bounds may only be tightened."""

    idle_link_error_ms: FidelityBound = _of(
        "idle_link_error_ms", "how far any idle link may be off its delay, in milliseconds"
    )
    idle_path_error_ms: FidelityBound = _of(
        "idle_path_error_ms", "how far any idle path may be off its delay, in milliseconds"
    )
    lateness_p99_ms: FidelityBound = _of(
        "lateness_p99_ms", "how late links may release frames in the median second (p99), in ms"
    )
    late_on_end_s: FidelityBound = _of(
        "late_on_end_s", "for how many seconds on end links may release frames 20 ms late"
    )
    saturated_on_end_s: FidelityBound = _of(
        "saturated_on_end_s", "for how many seconds on end all processors may be over 97 % busy"
    )
    switch_wait_percent: FidelityBound = _of(
        "switch_wait_percent", "how much of the time Open vSwitch may wait for a processor"
    )
    step_lateness_ms: FidelityBound = _of(
        "step_lateness_ms", "how late any step of the timeline may come, in milliseconds"
    )
    probe_lateness_p99_ms: FidelityBound = _of(
        "probe_lateness_p99_ms", "how late probe packets may be sent (p99), in milliseconds"
    )
    traffic_lateness_p99_ms: FidelityBound = _of(
        "traffic_lateness_p99_ms", "how late senders may be started (p99), in milliseconds"
    )
    unsent_percent: FidelityBound = _of(
        "unsent_percent", "how much of the traffic asked for may remain unsent"
    )

    @field_validator("*", mode="after")
    @classmethod
    def _filled_in(cls, bound: FidelityBound, info: ValidationInfo) -> FidelityBound:
        """What is not given is as by default, or tightened along."""
        default = getattr(_DEFAULT, str(info.field_name))
        invalid = default.invalid if bound.invalid is None else bound.invalid
        degraded = min(default.degraded, invalid) if bound.degraded is None else bound.degraded
        return FidelityBound(degraded=degraded, invalid=invalid)

    def bounds(self) -> Bounds:
        """The bounds as a run is judged by."""
        return msgspec.convert(self.model_dump(), Bounds)


def only_tightened(document: Document) -> Iterator[Problem]:
    """A run that the project calls invalid stays so."""
    for path, value in document.select("fidelity", ANY, ANY):
        bound = getattr(_DEFAULT, str(path[1]), None)
        default = getattr(bound, str(path[2]), None)
        if isinstance(default, float) and isinstance(value, int | float) and value > default:
            message = f"{value:g} is more than {default:g}: bounds may be tightened, not loosened"
            yield document.problem(path, message, f"give at most {default:g}, or leave it out")

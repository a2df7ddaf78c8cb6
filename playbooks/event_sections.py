"""What can stand on a playbook's timeline: the faults and attacks that a user writes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

from topologies.validation import Count, Number, Section, Text


def _one_complaint(value: object, handler: Any) -> Any:
    """A union has one message for the user, not one per member."""
    try:
        return handler(value)
    except ValidationError:
        raise PydanticCustomError("link", "is not a link") from None


LinkChoice = Annotated[Literal["busiest"] | tuple[str, str], WrapValidator(_one_complaint)]


class EventSection(Section):
    """Something that the timeline does."""

    at_s: Number = Field(ge=0, description="give seconds after the start of the traffic")


_LINK = Field(description="give busiest, or the two switches it joins: [s1, s2]")
_FOR_S = Field(default=None, gt=0, description="give after how many seconds it comes back")


class LinkDown(EventSection):
    """Both ends of a link lose carrier, and both switches are told."""

    do: Literal["link-down"]
    link: LinkChoice = _LINK
    for_s: Number | None = _FOR_S


class EndDown(EventSection):
    """One end of a link loses carrier. Only its switch is told, but no frame passes either way."""

    do: Literal["end-down"]
    link: LinkChoice = _LINK
    end: Text | None = Field(
        default=None, description="give the end that loses carrier; without it, the link's first"
    )
    for_s: Number | None = _FOR_S


class Silent(EventSection):
    """Frames vanish on a link. Carrier stays, so nothing tells the switches."""

    do: Literal["silent"]
    link: LinkChoice = _LINK
    sender: Text | None = Field(
        default=None,
        alias="from",
        description="give the end whose frames vanish; without it, those of both do",
    )
    for_s: Number | None = _FOR_S


class Degrade(EventSection):
    """A link loses more, delays longer or carries less, both ways: gradually; it ends at once.

    Nobody is told: the controller and the twin go on with the rate and delay that are configured.
    """

    do: Literal["degrade"]
    link: LinkChoice = _LINK
    loss_percent: Number | None = Field(
        default=None, gt=0, le=100, description="give which share of frames it loses in the end"
    )
    delay_ms: Number | None = Field(
        default=None, gt=0, description="give the delay that it has in the end"
    )
    rate_mbps: Number | None = Field(
        default=None, gt=0, description="give the rate that it has in the end, in Mbit/s"
    )
    over_s: Number = Field(
        default=0.0, ge=0, description="give how many seconds it takes to get so bad"
    )
    for_s: Number | None = Field(
        default=None, gt=0, description="give after how many seconds, from at_s on, it is mended"
    )


class Flap(EventSection):
    """A link goes down and comes back again and again: carrier is lost at both ends."""

    do: Literal["flap"]
    link: LinkChoice = _LINK
    down_s: Number = Field(ge=0.1, description="give how many seconds it is down each time")
    up_s: Number = Field(ge=0.1, description="give how many seconds it is up in between")
    times: Count = Field(ge=1, description="give how many times it goes down")


class SwitchCrash(EventSection):
    """A switch is gone: its ports, flows and groups are lost, its neighbours lose carrier.

    It comes back empty, with the same datapath id and port numbers.
    """

    do: Literal["switch-crash"]
    switch: Text = Field(description="give busiest, or a switch")
    for_s: Number | None = Field(
        default=None, gt=0, description="give after how many seconds it starts again"
    )


class HostCrash(EventSection):
    """A host is gone: its processes are killed, its link loses carrier. It comes back empty."""

    do: Literal["host-crash"]
    host: Text = Field(description="give busiest, or a host")
    for_s: Number | None = Field(
        default=None, gt=0, description="give after how many seconds it starts again"
    )


class ControlOutage(EventSection):
    """A switch forwards on, but the controller cannot reach it: a gap in the telemetry."""

    do: Literal["control-outage"]
    switch: Text = Field(description="give busiest, or a switch")
    for_s: Number = Field(gt=0, description="give after how many seconds it can be reached again")


class ControllerCrash(EventSection):
    """The controller is killed (SIGKILL). The switches go on; a new one takes over from them."""

    do: Literal["controller-crash"]
    for_s: Number = Field(gt=0, description="give after how many seconds a new one is started")


class TwinCrash(EventSection):
    """The twin is killed (SIGKILL). Network and controller go on; a new one mirrors them."""

    do: Literal["twin-crash"]
    for_s: Number = Field(gt=0, description="give after how many seconds a new one is started")


class Flood(EventSection):
    """Hosts flood one victim, in the form of the generator's attack class."""

    do: Literal["flood"]
    victim: Text = Field(description="give busiest, or a host")
    sources: Count = Field(
        default=3,
        ge=1,
        description="give how many hosts attack; without it, 3 or as many as can attack any victim",
    )
    for_s: Number = Field(gt=0, description="give how many seconds the attack lasts")
    rate_mbps: Number = Field(
        gt=0, description="give the rate of all sources together at the peak, in Mbit/s"
    )


LinkFault = LinkDown | EndDown | Silent | Degrade | Flap
Event = Annotated[
    LinkFault | SwitchCrash | HostCrash | ControlOutage | ControllerCrash | TwinCrash | Flood,
    Field(discriminator="do"),
]

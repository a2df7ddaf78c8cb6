"""The YAML schema of a playbook: one experiment, with its network, traffic, faults and probes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, StringConstraints, ValidationError, WrapValidator
from pydantic_core import PydanticCustomError

from playbooks.checks import BUSIEST, CHECKS, canonical_names, located
from playbooks.expectations import Bound
from playbooks.fidelity import FidelitySection, only_tightened
from playbooks.plan import ProtectionMode
from topologies.catalogue import load_topology, with_core_shape
from topologies.documents import read_document
from topologies.model import Topology
from topologies.paths import Weight
from topologies.validation import Count, Number, Section, Text, validate


def _one_complaint(value: object, handler: Any) -> Any:
    """A union has one message for the user, not one per member."""
    try:
        return handler(value)
    except ValidationError:
        raise PydanticCustomError("link", "is not a link") from None


LinkChoice = Annotated[Literal["busiest"] | tuple[str, str], WrapValidator(_one_complaint)]


class TopologySection(Section):
    """Which network, and what to change about its core links."""

    use: Text = Field(description="give a built-in name, topohub:<group>/<network>, or a file")
    rate_mbps: Number | None = Field(
        default=None, gt=0, description="give the rate of every core link in Mbit/s"
    )
    queue_packets: Count | None = Field(
        default=None, ge=1, description="give how many frames may wait at every core link"
    )
    delay_factor: Number = Field(
        default=1.0, gt=0, description="give what to multiply the delays of core links by"
    )


class RoutingSection(Section):
    """The baseline routes."""

    weight: Weight = Field(default="delay", description="what makes a path long")
    protection: ProtectionMode = Field(
        default="none", description="who leads packets round a failure before the controller does"
    )


class TrafficSection(Section):
    """The workload, one matrix a step."""

    kind: Literal["normal", "peak"] = Field(
        description="give the class that the generator shall sample"
    )
    interval_s: Number = Field(ge=1, description="give how long one step lasts, in seconds")
    steps: Count = Field(ge=2, description="give how many steps the traffic has")
    shortest_path_mlu: Number = Field(
        gt=0,
        description="give the maximum link utilisation that the baseline routes would have under "
        "the mean matrix: 1 fills the busiest link",
    )

    @property
    def duration_s(self) -> float:
        """How long the traffic lasts."""
        return self.steps * self.interval_s


class MeasureSection(Section):
    """What of the run counts."""

    from_step: Count = Field(
        default=1, ge=0, description="give the first step that counts; steps count from 0"
    )


class LatencyProbes(Section):
    """Sparse streams between the pairs with most traffic."""

    pairs: Count = Field(default=12, ge=0, description="give how many pairs are probed")
    spacing_ms: Number = Field(
        default=20.0, ge=1, description="give the time between two packets in milliseconds"
    )


class OutageProbes(Section):
    """Dense streams between pairs whose path crosses a failing link, busiest first."""

    pairs: Count = Field(default=4, ge=0, description="give how many pairs are probed")
    spacing_ms: Number = Field(
        default=2.0, ge=1, description="give the time between two packets in milliseconds"
    )


class ProbesSection(Section):
    """The probe streams, which run from the first step to the last."""

    latency: LatencyProbes = LatencyProbes()
    outage: OutageProbes = OutageProbes()


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
    """A link loses more, or delays longer, in both directions: gradually, until it ends at once."""

    do: Literal["degrade"]
    link: LinkChoice = _LINK
    loss_percent: Number | None = Field(
        default=None, gt=0, le=100, description="give which share of frames it loses in the end"
    )
    delay_ms: Number | None = Field(
        default=None, gt=0, description="give the delay that it has in the end"
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


class Flood(EventSection):
    """Hosts flood one victim, in the form of the generator's attack class."""

    do: Literal["flood"]
    victim: Text = Field(description="give busiest, or a host")
    sources: Count = Field(default=3, ge=1, description="give how many hosts attack")
    for_s: Number = Field(gt=0, description="give how many seconds the attack lasts")
    rate_mbps: Number = Field(
        gt=0, description="give the rate of all sources together at the peak, in Mbit/s"
    )


LinkFault = LinkDown | EndDown | Silent | Degrade | Flap
Event = Annotated[
    LinkFault | SwitchCrash | HostCrash | ControlOutage | Flood, Field(discriminator="do")
]


class Playbook(Section):
    """A whole playbook. Nodes on the timeline have canonical names, or are `BUSIEST`."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")] = Field(
        description="a-z, 0-9 and -"
    )
    title: Text = Field(description="say in a few words what happens")
    topology: TopologySection
    routing: RoutingSection = RoutingSection()
    traffic: TrafficSection
    measure: MeasureSection = MeasureSection()
    probes: ProbesSection = ProbesSection()
    fidelity: FidelitySection = FidelitySection()
    timeline: list[Event] = Field(default=[], description="list what happens during the run")
    expect: dict[str, Bound] = Field(
        default={}, description="give min or max of metrics, e.g. error_rate_percent: {max: 5}"
    )

    def network(self) -> Topology:
        """Load the network, with the rates, queues and delays that the playbook asks for.

        Raises:
            DocumentError: there is no such network, or its file has problems.
        """
        shape = self.topology
        return with_core_shape(
            load_topology(shape.use),
            rate_bps=None if shape.rate_mbps is None else shape.rate_mbps * 1e6,
            queue_packets=shape.queue_packets,
            delay_factor=shape.delay_factor,
        )


def load_playbook(path: Path) -> Playbook:
    """Read the YAML file at `path`, and look for a network file from where it lies.

    Raises:
        DocumentError: with every problem of the file.
    """
    playbook = validate(read_document(path), Playbook, (*CHECKS, only_tightened))
    use = located(playbook.topology.use, path.parent)
    section = playbook.topology.model_copy(update={"use": use})
    topology = load_topology(use)
    events = [_with_names(event, topology) for event in playbook.timeline]
    return playbook.model_copy(update={"topology": section, "timeline": events})


def builtin_playbook(name: str) -> Path:
    """Return the file of a playbook that comes with the project, e.g. `high-load`."""
    return Path(__file__).parent / f"{name}.yaml"


def dump_playbook(playbook: Playbook) -> str:
    """Return YAML with every default filled in, which `load_playbook` reads again."""
    plain = playbook.model_dump(mode="json", exclude_none=True, by_alias=True)
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of a playbook, for editors that complete and check YAML."""
    return Playbook.model_json_schema()


def _with_names(event: Event, topology: Topology) -> Event:
    """`event` with labels replaced by names."""
    switches, hosts = canonical_names(topology.switches), canonical_names(topology.hosts)
    known = {"victim": hosts, "host": hosts} | dict.fromkeys(("switch", "end", "sender"), switches)
    named: dict[str, object] = {
        key: known[key].get(value, BUSIEST)
        for key, value in event
        if key in known and value is not None
    }
    if isinstance(event, LinkFault) and event.link != BUSIEST:
        named["link"] = tuple(switches[end] for end in event.link)
    return event.model_copy(update=named)

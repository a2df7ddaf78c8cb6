"""The YAML schema of a playbook: one experiment, with its network, traffic, faults and probes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, StringConstraints

from playbooks.checks import BUSIEST, CHECKS, canonical_names, located, most_sources
from playbooks.event_sections import Event, Flood, LinkFault
from playbooks.expectations import Bound
from playbooks.fidelity import FidelitySection, only_tightened
from playbooks.plan import ProtectionMode
from topologies.catalogue import load_topology, with_core_shape
from topologies.documents import read_document
from topologies.model import Queueing, Topology
from topologies.paths import Weight
from topologies.validation import Count, Number, Section, Text, validate
from twin.telemetry_loss import Silent


class TopologySection(Section):
    """Which network, and what to change about its core links."""

    use: Text = Field(description="give a built-in name, topohub:<group>/<network>, or a file")
    rate_mbps: Number | None = Field(
        default=None, gt=0, description="give the rate of every core link in Mbit/s"
    )
    queue_packets: Count | None = Field(
        default=None, ge=1, description="give how many frames may wait at every core link"
    )
    queueing: Queueing | None = Field(
        default=None,
        description="give priority for queues by service class at every core link, fifo for one; "
        "without it, as the network says, and priority where BFD protects",
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
    tcp_percent: Number = Field(
        default=0.0,
        ge=0,
        le=100,
        description="give how much of the traffic is TCP, in percent: whole pairs, by lot",
    )

    @property
    def duration_s(self) -> float:
        """How long the traffic lasts."""
        return self.steps * self.interval_s


class TelemetrySection(Section):
    """What of the counters reaches the twin, and what fills the gaps."""

    lost_percent: Number = Field(
        default=0.0, ge=0, le=100, description="give how much of the telemetry is lost, in percent"
    )
    silent: Silent = Field(
        default="switches",
        description="give switches for all that some of them count, counters for single OD pairs",
    )
    stretch_s: Number = Field(
        default=15.0, ge=1, description="give how long the same ones are silent, in seconds"
    )
    filled_by: Literal["vae", "last-value"] = Field(
        default="vae", description="what the twin takes for that which it is not told"
    )


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


class Playbook(Section):
    """A whole playbook. Nodes on the timeline have canonical names, or are `BUSIEST`."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")] = Field(
        description="a-z, 0-9 and -"
    )
    title: Text = Field(description="say in a few words what happens")
    topology: TopologySection
    routing: RoutingSection = RoutingSection()
    traffic: TrafficSection
    telemetry: TelemetrySection = TelemetrySection()
    measure: MeasureSection = MeasureSection()
    probes: ProbesSection = ProbesSection()
    fidelity: FidelitySection = FidelitySection()
    timeline: list[Event] = Field(default=[], description="list what happens during the run")
    expect: dict[str, Bound] = Field(
        default={}, description="give min or max of metrics, e.g. error_rate_percent: {max: 5}"
    )

    def network(self) -> Topology:
        """Load the network, with the rates, queues and delays that the playbook asks for.

        BFD asks for queues by service class: in one queue with all else its packets would be lost
        with all else, and sessions flap on full links.

        Raises:
            DocumentError: there is no such network, or its file has problems.
        """
        shape = self.topology
        by_class: Queueing | None = "priority" if self.routing.protection == "bfd" else None
        return with_core_shape(
            load_topology(shape.use),
            rate_bps=None if shape.rate_mbps is None else shape.rate_mbps * 1e6,
            queue_packets=shape.queue_packets,
            delay_factor=shape.delay_factor,
            queueing=shape.queueing or by_class,
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
    """`event` with labels replaced by names, and no more sources than there can be."""
    switches, hosts = canonical_names(topology.switches), canonical_names(topology.hosts)
    known = {"victim": hosts, "host": hosts} | dict.fromkeys(("switch", "end", "sender"), switches)
    named: dict[str, object] = {
        key: known[key].get(value, BUSIEST)
        for key, value in event
        if key in known and value is not None
    }
    if isinstance(event, LinkFault) and event.link != BUSIEST:
        named["link"] = tuple(switches[end] for end in event.link)
    if isinstance(event, Flood):
        named["sources"] = min(event.sources, most_sources(topology, str(named["victim"])))
    return event.model_copy(update=named)

"""What the switches hold whatever the routes are."""

from __future__ import annotations

from controller.admission import admission_entries
from controller.flow_entries import FlowEntry, base_entries
from controller.policies import policy_entries
from topologies.addressing import Addressing
from topologies.model import Topology


def standing_entries(topology: Topology, addressing: Addressing) -> tuple[FlowEntry, ...]:
    """In an order in which a switch that is being filled never lets through what is denied."""
    return (
        *policy_entries(topology, addressing),
        *base_entries(addressing),
        *admission_entries(topology, addressing),
    )

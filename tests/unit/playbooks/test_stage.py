"""The timeline carried out on a network that only notes what it is told."""

from __future__ import annotations

from typing import Any, cast

from playbooks.plan import ControlOutage
from playbooks.stage import Stage
from playbooks.timeline import instants


class Network:
    def __init__(self) -> None:
        self.told: list[tuple[str, bool]] = []

    def set_control_channel(self, switch: str, connected: bool) -> None:
        self.told.append((switch, connected))


def carried_out(*outages: ControlOutage) -> tuple[list[tuple[str, bool]], list[tuple[float, str]]]:
    """What the network was told, and what was recorded."""
    network, nobody = Network(), cast(Any, None)
    stage = Stage(cast(Any, network), nobody, nobody, nobody)
    recorded = [
        (instant.at_s, event)
        for instant in instants(outages, measure_from_s=0.0, duration_s=99.0)
        for event, _, _ in stage.perform(instant, instant.at_s)
        if event.startswith("control-outage")
    ]
    return network.told, recorded


def test_a_switch_is_cut_off_until_the_last_of_its_outages_ends() -> None:
    told, recorded = carried_out(
        ControlOutage(1.0, "s1", for_s=3.0),
        ControlOutage(2.0, "s1", for_s=4.0),
        ControlOutage(3.0, "s2", for_s=2.0),
    )
    assert told == [("s1", False), ("s2", False), ("s2", True), ("s1", True)]
    assert recorded == [
        (1.0, "control-outage-start"),
        (2.0, "control-outage-start"),
        (3.0, "control-outage-start"),
        (5.0, "control-outage-end"),
        (6.0, "control-outage-end"),
    ]


def test_an_outage_after_another_is_one_of_its_own() -> None:
    told, recorded = carried_out(
        ControlOutage(1.0, "s1", for_s=1.0), ControlOutage(4.0, "s1", for_s=1.0)
    )
    assert told == [("s1", False), ("s1", True)] * 2
    assert len(recorded) == 4

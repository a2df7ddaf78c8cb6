"""Carries out the timeline: faults, and what befalls the control, each at its instant."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

from generators.replay import Replay
from playbooks.processes import CONTROLLER, TWIN, Processes
from playbooks.timeline import Instant, Mark, SetControlChannel, SetController, SetFault, SetTwin
from testbed.faults import Fault, crashed_hosts, crashed_switches
from testbed.network import Network
from testbed.probes import Probes

LEAD_S = 0.05
"""So long before its instant a change is handed to the links, which make it themselves."""

RESTART_LEAD_S = 0.25
"""And so long a restart: a switch is built, a host's services are started, then carrier returns.
The controller may meet the switch that much earlier."""


class Stage:
    """The network and what runs on it, while the timeline changes them."""

    def __init__(
        self, network: Network, processes: Processes, replay: Replay, probes: Probes
    ) -> None:
        self._network = network
        self._processes = processes
        self._replay = replay
        self._probes = probes
        self._holding: dict[int, Fault] = {}
        """By the action that it belongs to."""
        self._outages: Counter[str] = Counter()
        """How many cut each switch off."""

    def lead_s(self, instant: Instant) -> float:
        """How long before its time it has to be handed over."""
        if not any(isinstance(step, SetFault) for step in instant.steps):
            return 0.0
        before, after = self._holding.values(), self._after(instant).values()
        restarted = (crashed_switches(before) | crashed_hosts(before)) - (
            crashed_switches(after) | crashed_hosts(after)
        )
        return RESTART_LEAD_S if restarted else LEAD_S

    def perform(self, instant: Instant, stated_s: float) -> Iterator[tuple[str, Any, float]]:
        """Do all that is due at `stated_s` (CLOCK_MONOTONIC).

        Yields (name, details, when it was in force) of everything that is to be recorded.

        Raises:
            LinkError: the network could not be changed.
        """
        changed_s = self._change(self._after(instant), stated_s)
        for step in instant.steps:
            match step:
                case SetFault(event=event):
                    if event is not None:
                        yield event, step.detail, changed_s
                case SetControlChannel():
                    if self._set_control_channel(step):
                        yield step.event, step.detail, time.monotonic()
                case SetController(running=running):
                    self._set_running(CONTROLLER, running)
                    yield step.event, {}, time.monotonic()
                case SetTwin(running=running):
                    self._set_running(TWIN, running)
                    yield step.event, {}, time.monotonic()
                case Mark():
                    yield step.event, step.detail, stated_s

    def _set_control_channel(self, step: SetControlChannel) -> bool:
        """Outages overlap: the last to end reconnects. Whether the switch now is as `step` says."""
        before = self._outages[step.switch]
        after = self._outages[step.switch] = before + (-1 if step.connected else 1)
        if not before or not after:
            self._network.set_control_channel(step.switch, step.connected)
        return not (step.connected and after)

    def _set_running(self, process: str, running: bool) -> None:
        if running:
            self._processes.restart(process)
        else:
            self._processes.kill(process)

    def _after(self, instant: Instant) -> dict[int, Fault]:
        holding = dict(self._holding)
        for step in instant.steps:
            if isinstance(step, SetFault) and step.fault is not None:
                holding[step.number] = step.fault
            elif isinstance(step, SetFault):
                del holding[step.number]
        return holding

    def _change(self, holding: dict[int, Fault], at_s: float) -> float:
        if holding == self._holding:
            return at_s
        before, after = crashed_hosts(self._holding.values()), crashed_hosts(holding.values())
        self._holding = holding
        for host in sorted(before - after):
            self._replay.host_restarted(host)
            self._probes.host_restarted(host)
        for host in sorted(after - before):
            self._replay.host_crashed(host, at_s)
            self._probes.host_crashed(host, at_s)
        return self._network.set_faults(holding.values(), at_s)

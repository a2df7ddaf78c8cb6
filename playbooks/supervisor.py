"""Process 1 of a lab's sandbox: builds the network, runs the timeline, measures, ends it.

Its only input is the run directory (see `plan.py`); what happens is appended there and told, event
by event, on standard output. The end of standard input is the order to stop. When it ends, the
kernel ends everything else in the sandbox.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast

import msgspec

from controller.messages import Ready, Reroute, RerouteDone
from controller.northbound_client import connect
from generators.replay import Replay
from generators.replay_plan import plan as plan_streams
from generators.replay_servers import ReplayError
from generators.schedule import Schedule
from playbooks.observer import Observer
from playbooks.plan import Plan, read_plan
from playbooks.processes import CONTROLLER, TWIN, Processes
from playbooks.stage import Stage
from playbooks.timeline import instants
from results.run_directory import Event, RunDirectory, read_lines
from testbed import openvswitch, sandbox, switch_tables
from testbed.distributed import Convergence
from testbed.fidelity import FidelityMonitor
from testbed.idle_check import check_links, check_paths
from testbed.links.backend import LinkBackend, LinkError
from testbed.links.probing import open_backend
from testbed.mode_network import open_network
from testbed.modes import CONVERGENCE_S, DistributedMode, is_mode
from testbed.network import Network
from testbed.probes import Probes, ProbesError
from testbed.records import FidelitySample, IdleCheck, LinksSample
from topologies.model import Topology, Ways
from topologies.paths import shortest_paths
from topologies.policies import Traffic, is_denied
from topologies.splits import equal_cost_ways
from twin.policies import EqualCostPolicy
from twin.records import Mirrored, ModelsLoaded, TwinRecord

_READY_TIMEOUT_S = 20.0
_TWIN_TIMEOUT_S = 60.0
"""Importing PyTorch takes a slow machine so long."""
_PLACED = "plan"
"""Names the request that places the plan's routes."""
_TAIL_S = 8.0
"""The most that the last clients and servers may take to end after the workload."""
_SAMPLE_S = 1.0
_SAMPLE_ROOM_S = 0.1
"""Nothing is sampled so shortly before something is due, which would come late."""


class LabError(Exception):
    """The run cannot go on; the message is for the user and makes the run invalid."""


class Stopped(Exception):  # noqa: N818 (not an error: somebody asked for it)
    """Standard input has ended: the command that opened the lab is gone or wants an end."""


_FAILURES = (
    LabError,
    LinkError,
    OSError,
    ProbesError,
    ReplayError,
    TimeoutError,
    openvswitch.OpenVSwitchError,
    subprocess.CalledProcessError,
)
"""What makes a run invalid."""


class Supervisor:
    """One run of one lab, from the empty sandbox to its end."""

    def __init__(self, run_dir: RunDirectory, plan: Plan, events: BinaryIO) -> None:
        self._run_dir = run_dir
        self._plan = plan
        self._equal_cost = plan.policy == EqualCostPolicy.name
        self._topology: Topology = run_dir.read_topology()
        self._schedule: Schedule = Schedule.load(run_dir.schedule)
        self._events = events
        self._selector = selectors.DefaultSelector()
        self._processes = Processes(run_dir.logs, self._selector)
        self._monitor: FidelityMonitor | None = None
        self._observer: Observer | None = None
        """Of a network without a controller."""
        self._routing: Ways = {}
        """Before the workload."""
        self._sample_at_s = 0.0
        self._ending = ExitStack()
        """What is kept however the run ends."""

    def run(self) -> None:
        """Carry out the plan.

        Raises:
            LabError or another of `_FAILURES`: something that the run depends on failed. It has
                been recorded.
            Stopped: it was asked to stop.
        """
        self.record("lab-starting", {"pid": os.getpid()})
        os.set_blocking(sys.stdin.fileno(), False)
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, "stdin")
        with self._ending, self._processes, self._telling():
            sandbox.furnish(openvswitch.environment())
            network = self._start()
            self.record("lab-ready", {"switches": len(self._topology.switches)})
            self._check_idle(network)
            self._place_routes()
            self._measure(network)
            self.record("lab-stopping")
        self.record("lab-stopped")

    def record(self, event: str, detail: Mapping[str, Any] | None = None, t_s: float = 0.0) -> None:
        """Tell and append an event, told first: the file system may be full."""
        line = msgspec.json.encode(
            Event(t_s=t_s or time.monotonic(), event=event, detail=dict(detail or {}))
        )
        sys.stdout.buffer.write(line + b"\n")
        sys.stdout.buffer.flush()
        self._events.write(line + b"\n")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Say at once how it ends: to end the processes, and to keep the probes, takes time."""
        try:
            yield
        except Stopped:
            self.record("interrupted")
            raise
        except _FAILURES as error:
            self.record("problem", {"reason": str(error)})
            raise

    # --- start ------------------------------------------------------------------------------

    def _start(self) -> Network:
        """Everything up, and every pair with a route: see `self._routing`."""
        mode = self._plan.policy
        return self._start_mode(mode) if is_mode(mode) else self._start_controlled()

    def _start_mode(self, mode: DistributedMode) -> Network:
        """A network that has found all paths by itself, and somebody who watches it."""
        begin_s = time.monotonic()
        links = self._open_links()
        switch_pid = self._open_switches().pid if mode == "spanning-tree" else None
        logs, weight = self._run_dir.logs, self._plan.weight
        network = open_network(mode, self._topology, links, weight, logs)
        self._monitor = FidelityMonitor(self._topology, links, switch_pid)
        convergence = Convergence(network)
        if not self._await(convergence.reached, begin_s + CONVERGENCE_S, every_s=0.1):
            raise LabError(self._overdue(mode, "converged", CONVERGENCE_S))
        self.record("converged", {"after_s": round(time.monotonic() - begin_s, 2)})
        self._routing = convergence.paths
        self._observer = Observer(network, convergence.paths, self._run_dir.telemetry)
        self._observer.start()
        return network

    def _open_links(self) -> LinkBackend:
        links: LinkBackend = open_backend(self._plan.backend, self._run_dir.logs)
        self._processes.watch(links.processes())
        return links

    def _open_switches(self) -> subprocess.Popen[bytes]:
        switches = openvswitch.start(self._run_dir.logs)
        self._processes.watch(switches.processes())
        return switches.ovs_vswitchd

    def _start_controlled(self) -> Network:
        """All routes confirmed by the controller, the twin in step."""
        plan, here = self._plan, str(self._run_dir.path)
        self._processes.start(
            CONTROLLER,
            "controller",
            *("--run-dir", here),
            *("--weight", plan.weight),
            *(("--protected",) if plan.protection != "none" else ()),
            *(("--ecmp",) if self._equal_cost else ()),
        )
        self._processes.start(
            TWIN,
            "twin",
            *("--run-dir", here),
            *("--policy", plan.policy),
            *("--interval-s", str(plan.interval_s)),
            *(("--weights", plan.forecaster) if plan.forecaster else ()),
            *(("--imputer", plan.imputer) if plan.imputer else ()),
            *(("--calibration", plan.calibration) if plan.calibration else ()),
            *(("--telemetry-loss", _in_json(plan.telemetry_loss)) if plan.telemetry_loss else ()),
        )
        links, switches = self._open_links(), self._open_switches()
        network = Network(self._topology, links, bfd=plan.protection == "bfd")
        self._monitor = FidelityMonitor(self._topology, links, switches.pid)
        self._await_routes()
        self._await_twin()
        if self._equal_cost:
            self._routing = equal_cost_ways(self._topology)
        else:
            self._routing = shortest_paths(self._topology, plan.weight)
        return network

    def _await_routes(self) -> None:
        """Wait for the controller's word that every route is confirmed by barriers."""
        deadline_s = time.monotonic() + _READY_TIMEOUT_S
        if not self._await(self._run_dir.socket.exists, deadline_s):
            raise LabError(self._overdue("the controller", "opened its socket", _READY_TIMEOUT_S))
        with connect(self._run_dir.socket) as client, self._watching(client.fileno(), "northbound"):
            while time.monotonic() < deadline_s:
                self._pause(deadline_s)
                while (message := client.receive(0.0)) is not None:
                    if isinstance(message, Ready):
                        return
        raise LabError(self._overdue("the controller", "confirmed all routes", _READY_TIMEOUT_S))

    def _await_twin(self) -> None:
        """Wait for mirror and models: what came before would be no run with a twin."""
        deadline_s = time.monotonic() + _TWIN_TIMEOUT_S
        if not self._await(self._twin_is_whole, deadline_s, every_s=0.05):
            had_not = "mirrored the network with its models loaded"
            raise LabError(self._overdue("the twin", had_not, _TWIN_TIMEOUT_S))

    def _twin_is_whole(self) -> bool:
        records: Iterator[TwinRecord] = read_lines(self._run_dir.twin, cast(Any, TwinRecord))
        return {Mirrored, ModelsLoaded} <= {type(record) for record in records}

    def _await(self, there: Callable[[], bool], deadline_s: float, every_s: float = 0.01) -> bool:
        """Whether it was there by then."""
        while not there():
            if time.monotonic() > deadline_s:
                return False
            self._pause(time.monotonic() + every_s)
        return True

    def _overdue(self, who: str, had_not: str, timeout_s: float) -> str:
        return f"{who} had not {had_not} after {timeout_s:g} s: see {self._run_dir.logs}"

    def _check_idle(self, network: Network) -> None:
        """Every link and every route that policies allow, before there is any load.

        Raises:
            LabError: nothing comes through somewhere; which, says the verdict.
        """
        lab = (self._topology, network.addressing, network.hosts)
        routing = {
            pair: way
            for pair, way in self._routing.items()
            if not is_denied(self._topology, pair, Traffic("udp"))
        }
        checked: list[IdleCheck] = [*check_links(*lab), *check_paths(*lab, routing)]
        _append(self._run_dir.idle, *checked)
        self._pause(time.monotonic() + 0.001)  # a process that has died is the better reason
        if not all(one.arrived for one in checked):
            raise LabError("the network is not whole: the workload was not started")

    def _place_routes(self) -> None:
        """Move the pairs whose paths the plan states.

        Raises:
            LabError: the controller refused a move, or did not answer.
        """
        if not self._plan.routes:
            return
        deadline_s = time.monotonic() + _READY_TIMEOUT_S
        with connect(self._run_dir.socket) as client, self._watching(client.fileno(), "northbound"):
            client.send(Reroute(_PLACED, self._plan.routes))
            while time.monotonic() < deadline_s:
                self._pause(deadline_s)
                while (message := client.receive(0.0)) is not None:
                    if isinstance(message, RerouteDone) and message.request_id == _PLACED:
                        if message.refused:
                            raise LabError(f"a route was refused: {message.refused[0].reason}")
                        return
        raise LabError(self._overdue("the controller", "placed the routes", _READY_TIMEOUT_S))

    # --- measure ----------------------------------------------------------------------------

    def _measure(self, network: Network) -> None:
        """Replay the schedule, run the timeline, and probe."""
        plan = self._plan
        offset_s = self._run_dir.read_manifest().realtime_minus_monotonic_s
        addresses = network.addressing.ipv4
        streams = plan_streams(self._schedule, cuts_s=(plan.measure_from_s,))
        replay = Replay(streams, network.hosts, addresses, self._run_dir.traffic, offset_s)
        probes = Probes(network.hosts, addresses, self._run_dir.probes, offset_s)
        self._ending.callback(probes.stop, in_a_hurry=True)
        replay.start_servers()
        probes.start(plan.probes, plan.interval_s + replay.lead_s + plan.duration_s + _TAIL_S)
        start_s = self._next_interval(time.monotonic() + replay.lead_s)
        replay.start(start_s)
        self._pause(start_s)
        self.record("traffic-start", {"duration_s": plan.duration_s}, start_s)
        stage = Stage(network, self._processes, replay, probes)
        for instant in instants(plan.actions, plan.measure_from_s, plan.duration_s):
            stated_s = start_s + instant.at_s
            self._pause(stated_s - stage.lead_s(instant))
            for event, detail, done_s in stage.perform(instant, stated_s):
                self.record(event, {**detail, "stated_s": stated_s}, done_s)
        problems = probes.stop()
        replay.wait(_TAIL_S)
        self.record("traffic-end")
        if self._observer is not None:
            self._observer.stop()
            self._check_observed()
        else:
            tables = switch_tables.dump(network.switches)
            self._run_dir.tables.write_bytes(msgspec.json.encode(tables))
        for problem in (*problems, *replay.problems):
            self.record("problem", {"reason": problem})

    def _check_observed(self) -> None:
        if self._observer is not None and self._observer.problem:
            raise LabError(self._observer.problem)

    def _next_interval(self, earliest_s: float) -> float:
        """The twin and the schedule agree on the intervals: multiples on CLOCK_MONOTONIC."""
        interval_s = self._plan.interval_s
        return (earliest_s // interval_s + 1) * interval_s

    # --- wait -------------------------------------------------------------------------------

    def _pause(self, until_s: float) -> None:
        """Wait until an instant (or until a watched northbound message), and watch meanwhile.

        Raises:
            LabError: a process of the lab has ended.
            Stopped: standard input has ended.
        """
        while (left_s := until_s - time.monotonic()) > 0:
            has_room = self._monitor is not None and left_s > _SAMPLE_ROOM_S
            sample_in_s = self._sample_at_s - time.monotonic() if has_room else left_s
            ready = self._selector.select(max(min(left_s, sample_in_s), 0.0))
            for key, _ in ready:
                if key.data == "stdin" and not os.read(key.fd, 4096):
                    raise Stopped
                if key.data == "process":
                    raise LabError(self._processes.obituary(key.fd))
            if any(key.data == "northbound" for key, _ in ready):
                return
            if until_s - time.monotonic() > _SAMPLE_ROOM_S:
                self._sample()

    def _sample(self) -> None:
        if self._monitor is None or time.monotonic() < self._sample_at_s:
            return
        self._sample_at_s = time.monotonic() + _SAMPLE_S
        self._check_observed()
        _append(self._run_dir.fidelity, self._monitor.sample())
        _append(self._run_dir.links, self._monitor.sample_links())

    @contextmanager
    def _watching(self, fd: int, what: str) -> Iterator[None]:
        self._selector.register(fd, selectors.EVENT_READ, what)
        try:
            yield
        finally:
            self._selector.unregister(fd)


def _in_json(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()


def _append(path: Path, *records: FidelitySample | LinksSample | IdleCheck) -> None:
    with path.open("ab") as lines:
        lines.write(b"".join(msgspec.json.encode(record) + b"\n" for record in records))


def main() -> NoReturn:
    """Run the lab of the run directory named by the only argument."""
    run_dir = RunDirectory(Path(sys.argv[1]))
    with run_dir.events.open("ab", buffering=0) as events:
        supervisor = Supervisor(run_dir, read_plan(run_dir.path), events)
        status = 0
        try:
            supervisor.run()
        except Stopped:
            pass
        except _FAILURES:
            status = 1
    # The replay's thread may be in the middle of it; all that it recorded is in its file.
    os._exit(status)


if __name__ == "__main__":
    main()

"""Measures trials on packets: one lab, kept up while one matrix and routing follows the other.

A run like any other (its own supervisor, its own verdict). From outside, through the northbound
socket, all pairs are moved to their next paths while nobody sends for a while: so every trial finds
the queues empty.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np

from controller.messages import Reroute, RerouteDone, Route
from controller.northbound_client import NorthboundClient, connect
from generators.iperf import FRAME_OVERHEAD_BYTES, suitable_payload_bytes
from generators.records import Received
from generators.schedule import FloatArray, Schedule
from playbooks.bare_run import prepare_bare_run
from playbooks.calibration_trials import Trial
from playbooks.runner import Interrupted, run_lab
from results.metrics import fidelity
from results.metrics.latency import merge_histograms
from results.recording import Recording, load_recording
from results.run_directory import Event, RunDirectory
from results.timeline import Window
from results.validity import judge
from testbed.reference.errors import MeasurementError
from topologies.model import OdPair, Routing, Topology
from topologies.paths import shortest_paths
from twin.samples import Sample

STEP_S = 8.0
"""Of one trial, with the silence before it."""
_INTERVAL_S = 2.0
_SILENT_S = _INTERVAL_S
"""For queues to drain, and all pairs to be moved."""
_SINCE_S = 2.0
"""Into the traffic: from the third report of the servers on, which come every second."""
_LATE_S = 0.05
"""At most, of a report."""


def measure(
    network: str,
    topology: Topology,
    trials: Sequence[Trial],
    out: Path,
    listen: Callable[[Event], None],
) -> list[Sample]:
    """Run a lab for the trials; those that were measured.

    Raises:
        MissingProgramError, SandboxUnavailableError, LinkError: this machine cannot carry a lab.
        RunDirectoryError: `out` cannot be written.
        MeasurementError: the machine did not carry the lab, or the controller did not obey.
        MeasuredInPart: it was interrupted.
    """
    hosts = tuple(host.name for host in topology.hosts)
    schedule = Schedule(hosts, _INTERVAL_S, np.concatenate([_intervals(t) for t in trials]))
    run = prepare_bare_run(
        "calibration", f"calibration-{network}", out, topology, schedule, measure_from_s=0.0
    )
    director = _Director(run.run_dir, topology, trials)

    def follow(event: Event) -> None:
        if event.event == "traffic-start":
            director.start(event.t_s)
        listen(event)

    try:
        run_lab(run.run_dir, run.sandbox, follow)
    except Interrupted:
        director.end()
        raise MeasuredInPart(
            harvest(network, topology, trials, load_recording(run.run_dir))
        ) from None
    failure = director.end()
    recording = load_recording(run.run_dir)
    if samples := harvest(network, topology, trials, recording):
        return samples
    problems = (str(e.detail["reason"]) for e in recording.events if e.event == "problem")
    reasons = (failure, *problems, *judge(recording).reasons, "no step was measured whole")
    raise MeasurementError(f"{next(filter(None, reasons))} (see {run.run_dir.path})")


def _intervals(trial: Trial) -> FloatArray:
    """The matrices of its silence and of its traffic."""
    matrices_bps = np.repeat(trial.matrix_bps[None], round(STEP_S / _INTERVAL_S), axis=0)
    matrices_bps[: round(_SILENT_S / _INTERVAL_S)] = 0.0
    return matrices_bps


class MeasuredInPart(Interrupted):
    """Ctrl-C: what was measured until then."""

    def __init__(self, samples: list[Sample]) -> None:
        super().__init__()
        self.samples = samples


def harvest(
    network: str, topology: Topology, trials: Sequence[Trial], recording: Recording
) -> list[Sample]:
    """The samples in the recording of a run with one trial a step.

    Each is judged by its own seconds: one whose routes came late, or that the machine did not
    carry (the bounds of any run), is left out and can be measured again.
    """
    begun = [event.t_s for event in recording.events if event.event == "traffic-start"]
    if not begun:
        return []
    switched_s = {
        message.request_id: message.switched_s
        for message in recording.telemetry
        if isinstance(message, RerouteDone)
    }
    by_step = defaultdict(list)
    for record in recording.received:
        step, into_s = divmod(record.start_s - begun[0], STEP_S)
        if into_s > _SILENT_S + _SINCE_S - _LATE_S:
            by_step[int(step)].append(record)
    samples = []
    for step, trial in enumerate(trials):
        window = Window(begun[0] + step * STEP_S, begun[0] + (step + 1) * STEP_S)
        rerouted = switched_s.get(str(step), math.inf) < window.start_s + _SILENT_S
        if rerouted and _carried(recording, window):
            samples.append(_sample(network, topology, trial, by_step[step]))
    return samples


def _carried(recording: Recording, window: Window) -> bool:
    seconds = [one for one in recording.fidelity if window.holds(one.t_s)]
    if len(seconds) < STEP_S - 1:  # it was cut off
        return False
    bounds = recording.manifest.bounds
    measured = (
        (fidelity.lateness_p99_ms(seconds), bounds.lateness_p99_ms),
        (fidelity.late_on_end_s(seconds), bounds.late_on_end_s),
        (fidelity.saturated_on_end_s(seconds), bounds.saturated_on_end_s),
        (fidelity.switch_wait_percent(seconds), bounds.switch_wait_percent),
    )
    return not any(one is not None and one.value > bound.invalid for one, bound in measured)


def _sample(network: str, topology: Topology, trial: Trial, records: Sequence[Received]) -> Sample:
    of_pair: defaultdict[OdPair, list[Received]] = defaultdict(list)
    for record in records:
        of_pair[record.pair].append(record)
    host = {one.name: number for number, one in enumerate(topology.hosts)}
    od_bps = [float(trial.matrix_bps[host[a], host[b]]) for a, b in topology.od_pairs]
    mine = [of_pair[pair] for pair in topology.od_pairs]
    packets = [sum(record.packets for record in some) for some in mine]
    return Sample(
        network=network,
        number=trial.number,
        load=trial.load,
        paths=tuple(trial.paths[pair] for pair in topology.od_pairs),
        od_bps=tuple(od_bps),
        frame_bytes=tuple(map(_frame_bytes, mine, od_bps)),
        since_s=_SINCE_S,
        duration_s=STEP_S - _SILENT_S - _SINCE_S,
        packets=tuple(packets),
        lost=tuple(sum(record.lost_packets for record in some) for some in mine),
        mean_ms=tuple(map(_mean_ms, mine)),
        p95_ms=tuple(map(_p95_ms, mine)),
    )


def _frame_bytes(some: Sequence[Received], rate_bps: float) -> float:
    """Of each packet; where none came, what suits the rate."""
    packets = sum(record.packets for record in some)
    if not packets:
        return float(suitable_payload_bytes(rate_bps) + FRAME_OVERHEAD_BYTES)
    return sum(record.bytes for record in some) / packets


def _mean_ms(records: Sequence[Received]) -> float | None:
    packets = sum(record.packets for record in records)
    if not packets:
        return None
    return sum(record.latency_mean_ms * record.packets for record in records) / packets


def _p95_ms(records: Sequence[Received]) -> float | None:
    histogram = merge_histograms(records)
    return None if histogram is None else histogram.quantile_ms(0.95)


class _Director:
    """Moves the pairs at every step, in a thread of its own."""

    def __init__(self, run_dir: RunDirectory, topology: Topology, trials: Sequence[Trial]) -> None:
        self._run_dir = run_dir
        self._trials = trials
        self._now: Routing = shortest_paths(topology)
        self._thread = ThreadPoolExecutor(1)
        self._running: Future[None] | None = None
        self._failure = ""
        self._ending = False

    def start(self, start_s: float) -> None:
        """Begin; `start_s` (CLOCK_MONOTONIC) is the first step's."""
        self._running = self._thread.submit(self._run, start_s)

    def end(self) -> str:
        """End it; why the controller did not obey, if it did not."""
        self._ending = True
        self._thread.shutdown()
        if self._running is not None:
            self._running.result()  # a defect of ours is raised
        return self._failure

    def _run(self, start_s: float) -> None:
        try:
            with connect(self._run_dir.socket) as client:
                for step, trial in enumerate(self._trials):
                    if not self._drained(client, start_s + step * STEP_S):
                        return
                    self._move(client, str(step), trial)
        except (OSError, msgspec.DecodeError) as error:
            if not self._ending:
                self._failure = f"the controller was lost: {error}"
        except MeasurementError as error:
            self._failure = str(error)

    def _drained(self, client: NorthboundClient, until_s: float) -> bool:
        """Read telemetry away until an instant; whether it came before the end."""
        while (left_s := until_s - time.monotonic()) > 0 and not self._ending:
            client.receive(min(left_s, 0.2))
        return not self._ending

    def _move(self, client: NorthboundClient, request_id: str, trial: Trial) -> None:
        moves = tuple(
            Route(*pair, path) for pair, path in trial.paths.items() if self._now.get(pair) != path
        )
        self._now = trial.paths
        client.send(Reroute(request_id, moves))
        deadline_s = time.monotonic() + STEP_S
        while time.monotonic() < deadline_s:
            message = client.receive(0.2)
            if isinstance(message, RerouteDone) and message.request_id == request_id:
                if message.refused:
                    raise MeasurementError(f"a route was refused: {message.refused[0].reason}")
                return
        raise MeasurementError("the controller has not answered a reroute")

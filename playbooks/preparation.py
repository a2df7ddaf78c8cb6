"""From a playbook to a run directory that a lab can carry out, after every check."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from controller.runtime_choice import chosen_runtime
from generators.builtin_history import builtin_history
from generators.history import History, load_history
from generators.sampling import FloodRequest, sample_schedule
from generators.schedule import Schedule
from playbooks import event_sections, schema
from playbooks.busiest import busiest_host, mean_matrix
from playbooks.checks import BUSIEST
from playbooks.choices import probe_plans, settled
from playbooks.mode_checks import check_mode, heeded, notes
from playbooks.models import Models, Progress, prepare_models
from playbooks.plan import Plan, ProtectionMode, write_plan
from playbooks.stored_calibration import calibration_file, stored_calibration
from results.run_directory import Manifest, RunDirectory
from testbed import frr
from testbed.capabilities import probe
from testbed.links.probing import choose_backend
from testbed.modes import is_mode, missing_programs
from testbed.sandbox import Sandbox, probe_sandbox
from topologies.model import Topology
from topologies.paths import shortest_paths
from twin.policies import resolve
from twin.telemetry_loss import TelemetryLoss

if TYPE_CHECKING:  # imports torch, which takes seconds
    from generators.gan import TrafficGan

IMPUTER = "generators.vae:load_imputer"
_PROGRAMS = {
    "ovs-vswitchd": "openvswitch-switch",
    "mnexec": "mininet",
    "iperf": "iperf",
    "irtt": "irtt",
}


class MissingProgramError(Exception):
    """A program that a lab needs is not installed; the message says how to get it."""


class RunDirectoryError(Exception):
    """The run directory cannot be made; the message says why."""


@dataclass(frozen=True)
class Request:
    """What a user asks for."""

    playbook: Path
    policy: str
    seed: int
    out: Path
    """The folder in which the run directory is made."""
    history: Path | None = None
    """Measured matrices to learn from, instead of the built-in history."""
    protection: ProtectionMode | None = None
    """Instead of the playbook's."""


@dataclass(frozen=True)
class Prepared:
    """A run that only waits for its lab."""

    run_dir: RunDirectory
    sandbox: Sandbox
    playbook: schema.Playbook


def prepare(request: Request, progress: Progress) -> Prepared:
    """Check everything, train or load the models, sample the schedule, write the run directory.

    Raises:
        DocumentError: the playbook or its network has problems.
        ModeError: a mode without a controller cannot do what is asked for.
        UnknownPolicyError, HistoryError: the policy or the history cannot be used.
        StartError: the controller cannot run on the library that the environment asks for.
        MissingProgramError, SandboxUnavailableError, LinkError: this machine cannot do it.
        RunDirectoryError: the run directory cannot be made.
    """
    playbook = _as_asked(schema.load_playbook(request.playbook), request)
    topology = playbook.network()
    policy = policy_name(request.policy)
    if is_mode(policy):
        check_mode(policy, request.playbook, playbook, topology, request.protection)
    chosen_runtime()  # refuses what the controller cannot run on
    check_programs(policy)
    sandbox = probe_sandbox()
    backend = choose_backend(probe())
    history = chosen_history(request.history, topology)
    run_dir = make_run_dir(request.out, f"{playbook.name}-{policy}-seed{request.seed}")
    with _removed_if_unfinished(run_dir):
        models = prepare_models(topology, history, run_dir.path, progress)
        progress("sampling the schedule", None)
        schedule = sample_workload(playbook, topology, models.gan, request.seed)
        plan = _plan(request, playbook, topology, schedule, backend, models)
        _write(run_dir, request, playbook, topology, schedule, plan)
    return Prepared(run_dir, sandbox, playbook)


@contextmanager
def _removed_if_unfinished(run_dir: RunDirectory) -> Iterator[None]:
    """Remove a run directory whose preparation came to no end: it is no run."""
    try:
        yield
    except BaseException:
        shutil.rmtree(run_dir.path, ignore_errors=True)
        raise


def _as_asked(playbook: schema.Playbook, request: Request) -> schema.Playbook:
    """The playbook with what the user has chosen in place of its own."""
    if request.protection is None:
        return playbook
    routing = playbook.routing.model_copy(update={"protection": request.protection})
    return playbook.model_copy(update={"routing": routing})


def policy_name(reference: str) -> str:
    """The name of a policy of the twin, or the mode of a network that has none.

    Raises:
        UnknownPolicyError: there is neither.
    """
    return reference if is_mode(reference) else resolve(reference).name


def check_programs(policy: str = "") -> None:
    """Look for the programs of a lab, those of a mode included.

    Raises:
        MissingProgramError: naming all that are missing, and the command that installs them.
    """
    missing = {program: p for program, p in _PROGRAMS.items() if shutil.which(program) is None}
    if is_mode(policy):
        missing |= dict.fromkeys(missing_programs(policy), frr.PACKAGE)
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise MissingProgramError(
            f"missing: {', '.join(missing)}. Install with: sudo apt-get install {packages}"
        )


def chosen_history(file: Path | None, topology: Topology) -> History:
    """The history in `file`, or else the built-in one.

    Raises:
        HistoryError: the file cannot be used.
    """
    if file is not None:
        return load_history(file, topology)
    return builtin_history(topology, seed=0)


def make_run_dir(out: Path, name: str) -> RunDirectory:
    """A new directory below `out`, named after `name` and the time.

    Raises:
        RunDirectoryError: it cannot be made.
    """
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    path = out.resolve() / f"{name}-{stamp}"
    attempt = 1
    while True:
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            if path.parent.is_file() or attempt > 99:
                raise RunDirectoryError(f"{path} cannot be made: choose another --out") from None
            attempt += 1
            path = path.with_name(f"{name}-{stamp}-{attempt}")
        except OSError as error:
            raise RunDirectoryError(
                f"the run directory {path} cannot be made ({error.strerror}): choose another --out"
            ) from None
        else:
            return RunDirectory(path)


# --- the traffic and the plan -------------------------------------------------------------------


def sample_workload(
    playbook: schema.Playbook, topology: Topology, gan: TrafficGan, seed: int
) -> Schedule:
    """Sample the workload, and then the same workload with the flood upon it, if there is one."""
    traffic = playbook.traffic

    def sample(flood: FloodRequest | None) -> Schedule:
        return sample_schedule(
            gan,
            topology,
            kind=traffic.kind,
            steps=traffic.steps,
            interval_s=traffic.interval_s,
            seed=seed,
            shortest_path_mlu=traffic.shortest_path_mlu,
            weight=playbook.routing.weight,
            flood=flood,
            tcp_percent=traffic.tcp_percent,
        )

    schedule = sample(None)
    for event in playbook.timeline:
        if isinstance(event, event_sections.Flood):
            return sample(_flood_request(event, topology, schedule))
    return schedule


def _flood_request(event: event_sections.Flood, topology: Topology, calm: Schedule) -> FloodRequest:
    busiest = event.victim == BUSIEST
    return FloodRequest(
        victim=busiest_host(topology, mean_matrix(calm)) if busiest else event.victim,
        sources=event.sources,
        rate_bps=event.rate_mbps * 1e6,
        start_step=round(event.at_s / calm.interval_s),
        steps=round(event.for_s / calm.interval_s),
    )


def _plan(
    request: Request,
    playbook: schema.Playbook,
    topology: Topology,
    schedule: Schedule,
    backend: str,
    models: Models,
) -> Plan:
    policy, telemetry = request.policy, playbook.telemetry
    mean_bps = mean_matrix(schedule)
    routing = shortest_paths(topology, playbook.routing.weight)
    actions = tuple(
        action
        for event in (heeded(playbook.timeline) if is_mode(policy) else playbook.timeline)
        for action in settled(event, topology, routing, mean_bps, schedule)
    )
    return Plan(
        policy=policy,
        weight=playbook.routing.weight,
        protection=playbook.routing.protection,
        backend=backend,
        interval_s=schedule.interval_s,
        duration_s=schedule.duration_s,
        measure_from_s=playbook.measure.from_step * schedule.interval_s,
        actions=actions,
        probes=probe_plans(playbook.probes, topology, routing, mean_bps, actions),
        forecaster=str(models.forecaster),
        calibration=str(calibration_file()) if stored_calibration() else "",
        imputer=f"{IMPUTER}={models.vae}" if telemetry.filled_by == "vae" else "",
        telemetry_loss=_lost(telemetry, request.seed),
    )


def _lost(telemetry: schema.TelemetrySection, seed: int) -> TelemetryLoss | None:
    if not telemetry.lost_percent:
        return None
    share = telemetry.lost_percent / 100
    return TelemetryLoss(share, telemetry.silent, telemetry.stretch_s, seed)


# --- the run directory --------------------------------------------------------------------------


def _write(
    run_dir: RunDirectory,
    request: Request,
    playbook: schema.Playbook,
    topology: Topology,
    schedule: Schedule,
    plan: Plan,
) -> None:
    started, policy = datetime.now(timezone.utc), policy_name(request.policy)
    manifest = Manifest(
        run=run_dir.path.name,
        playbook=playbook.name,
        policy=policy,
        protection=plan.protection,
        seed=request.seed,
        started_at=started.isoformat(timespec="seconds"),
        realtime_minus_monotonic_s=time.time() - time.monotonic(),
        interval_s=plan.interval_s,
        backend=plan.backend,
        versions=versions(),
        bounds=playbook.fidelity.bounds(),
        notes=tuple(notes(policy, playbook)) if is_mode(policy) else (),
    )
    run_dir.manifest.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    run_dir.playbook.write_text(schema.dump_playbook(playbook))
    run_dir.write_topology(topology)
    schedule.save(run_dir.schedule)
    write_plan(plan, run_dir.path)


def versions() -> Mapping[str, str]:
    """Of everything that a run's figures may depend on."""
    packages = ("twinbed", chosen_runtime(), "eventlet", "torch", "numpy", "scipy", "topohub")
    programs = {
        "openvswitch": ["ovs-vswitchd", "--version"],
        "iperf": ["iperf", "--version"],
        "irtt": ["irtt", "version"],
    }
    versions = {name: importlib.metadata.version(name) for name in packages}
    for name, command in programs.items():
        output = subprocess.run(command, capture_output=True, text=True)
        versions[name] = (output.stdout or output.stderr).splitlines()[0]
    return {"python": platform.python_version(), "kernel": platform.release(), **versions}

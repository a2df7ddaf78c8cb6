"""A run without a playbook: a network, a schedule, and a twin, which only watches by default."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from controller.messages import Route
from generators.schedule import Schedule
from playbooks.plan import Breakdown, Plan, write_plan
from playbooks.preparation import check_programs, make_run_dir, versions
from results.bounds import Bounds
from results.run_directory import Manifest, RunDirectory
from testbed.capabilities import probe
from testbed.links.probing import choose_backend
from testbed.sandbox import Sandbox, probe_sandbox
from topologies.model import Topology
from topologies.paths import Weight
from twin.policies import ShortestPathPolicy


@dataclass(frozen=True)
class BareRun:
    """A lab that only waits to be run."""

    run_dir: RunDirectory
    sandbox: Sandbox


def prepare_bare_run(
    title: str,
    name: str,
    out: Path,
    topology: Topology,
    schedule: Schedule,
    measure_from_s: float,
    weight: Weight = "delay",
    actions: tuple[Breakdown, ...] = (),
    routes: tuple[Route, ...] = (),
    policy: str = ShortestPathPolicy.name,
    forecaster: Path | None = None,
) -> BareRun:
    """Write a run directory below `out`, named after `name`.

    `forecaster`: the file of its weights; without one, everything stays as it is.

    Raises:
        MissingProgramError, SandboxUnavailableError, LinkError: this machine cannot do it.
        RunDirectoryError: the run directory cannot be made.
    """
    check_programs()
    sandbox, backend = probe_sandbox(), choose_backend(probe())
    run_dir = make_run_dir(out, name)
    plan = Plan(
        policy=policy,
        weight=weight,
        backend=backend,
        interval_s=schedule.interval_s,
        duration_s=schedule.duration_s,
        measure_from_s=measure_from_s,
        actions=actions,
        probes=(),
        forecaster=str(forecaster or ""),
        imputer="",
        routes=routes,
    )
    manifest = Manifest(
        run=run_dir.path.name,
        playbook=title,
        policy=policy,
        seed=0,
        started_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        realtime_minus_monotonic_s=time.time() - time.monotonic(),
        interval_s=schedule.interval_s,
        backend=backend,
        versions=versions(),
        bounds=Bounds(),
    )
    run_dir.manifest.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    run_dir.write_topology(topology)
    schedule.save(run_dir.schedule)
    write_plan(plan, run_dir.path)
    return BareRun(run_dir, sandbox)

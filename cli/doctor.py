"""Say what this machine has for a lab, what is used instead of what it lacks, and how to get it.

With --fidelity, measure too how true its links are, and how much they carry: two minutes in which
nothing else should run.

Exit code 0: labs can run; 1: its links are beyond their bounds (--fidelity); 3: no lab can run.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cli import doctor_machine
from cli.bench import targets_table
from cli.bench import verdict as targets_verdict
from cli.doctor_fidelity import limits_sentence, limits_table, measure_fidelity
from cli.doctor_kernel import kernel_parts
from cli.doctor_parts import Part, is_usable, parts_table
from cli.doctor_programs import program_parts, python_parts
from cli.output import messages, print_json, results
from cli.progress import RunProgress
from testbed import machine
from testbed.capabilities import probe
from testbed.sandbox import Sandbox, probe_sandbox


@dataclass(frozen=True)
class Examination:
    """What was found."""

    groups: Mapping[str, Sequence[Part]]
    backend: str | None
    """That makes the links here; None: neither does."""
    sandbox: Sandbox | None

    @property
    def parts(self) -> list[Part]:
        """Of all groups."""
        return [part for group in self.groups.values() for part in group]

    @property
    def usable(self) -> bool:
        """Whether a lab can run."""
        return is_usable(self.parts)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")
    parser.add_argument(
        "--fidelity",
        action="store_true",
        help="measure links against what is configured, and what this machine carries",
    )


def run(arguments: argparse.Namespace) -> int:
    """Examine the machine and print what was found."""
    with messages.status("trying what a lab uses"):
        found = examine()
    if not arguments.json:
        results.print(parts_table(found.groups))
        said = verdict(found.usable, found.backend, arguments.fidelity)
        messages.print(said, highlight=False, markup=True)
    document: dict[str, Any] = {
        "usable": found.usable,
        "links": found.backend,
        "parts": found.parts,
    }
    exit_code = 0 if found.usable else 3
    if arguments.fidelity:
        exit_code, document["fidelity"] = _fidelity(found, arguments.json)
    if arguments.json:
        print_json(document)
    return exit_code


def examine() -> Examination:
    """Try everything; takes some two seconds."""
    before = machine.processor_time()
    capabilities = probe()
    sandbox = probe_sandbox() if capabilities.sandbox.available else None
    groups = {
        "kernel": kernel_parts(capabilities),
        "programs": [*program_parts(capabilities, sandbox), *python_parts()],
    }
    lateness = machine.timer_lateness()
    groups["machine"] = [
        *doctor_machine.processor_parts(
            doctor_machine.processors(), os.getloadavg()[0], before, machine.processor_time()
        ),
        doctor_machine.memory_part(doctor_machine.memory_bytes()),
        *doctor_machine.time_parts(machine.clock(), lateness),
    ]
    return Examination(groups, capabilities.link_backend, sandbox)


def verdict(usable: bool, backend: str | None, fidelity: bool = True) -> str:
    """One sentence on the whole machine."""
    if not usable:
        return "[red]labs cannot run here[/]: mend what is marked missing"
    more = "" if fidelity else "; --fidelity measures how true they are, and how many it carries"
    return f"labs can run here, with {backend} links{more}"


def _fidelity(found: Examination, as_json: bool) -> tuple[int, Any]:
    """Measure, if a lab can run; the exit code and what programs are told."""
    if not found.usable or found.backend is None or found.sandbox is None:
        return 3, None
    with RunProgress(messages).shown() as progress:
        progress.label("doctor --fidelity")
        fidelity = measure_fidelity(found.backend, found.sandbox, progress.step)
    if not as_json:
        results.print(targets_table(fidelity.report))
        messages.print(targets_verdict(fidelity.report), highlight=False, markup=True)
        results.print(limits_table(fidelity.limits))
        results.print(limits_sentence(fidelity.limits), highlight=False)
    return 0 if fidelity.passed else 1, fidelity.document()

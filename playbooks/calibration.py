"""A calibration: samples are measured on this machine, and the model fitted to them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count, islice
from pathlib import Path

from playbooks.calibration_lab import STEP_S, MeasuredInPart, measure
from playbooks.calibration_trials import Trial, trial
from playbooks.locks import take
from results.run_directory import Event
from testbed.reference.errors import MeasurementError
from topologies.model import Topology
from twin.samples import Network, Sample, Samples, SamplesError, append, read

FEWEST_SAMPLES = 12
"""In all: of fewer, no interval can be learnt beside the fit."""
_PER_LAB = 20
_BARREN_LABS = 2
"""So many labs on end without one sample show that this machine cannot carry them."""

Progress = Callable[[str, float | None], None]


def collect(
    networks: Mapping[str, Topology], per_network: int, file: Path, progress: Progress
) -> Samples:
    """Measure until `file` holds so many samples of every network; those it holds count.

    Samples are appended lab by lab, so it goes on where it was stopped. Another calibration that
    writes the same file is waited for.

    Raises:
        MissingProgramError, SandboxUnavailableError, LinkError: this machine cannot carry a lab.
        MeasurementError: it could not carry them.
        SamplesError: the file cannot be read, or written, or holds something else, or other
            networks of these names.
        MeasuredInPart: Ctrl-C; what was measured is in the file.
    """
    with _alone(file, progress), _folder_of_labs(file) as folder:
        return _collected(networks, per_network, file, folder, progress)


@contextmanager
def _alone(file: Path, progress: Progress) -> Iterator[None]:
    """Keep others from `file`, which is made if there is none: so it is known to be writable."""

    def say() -> None:
        progress(f"another calibration writes {file}: waiting for its end", None)

    with ExitStack() as opened:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            take(opened.enter_context(file.open("ab")), say)
        except OSError as error:
            raise SamplesError(f"{file} cannot be written: {error.strerror}") from None
        yield


@contextmanager
def _folder_of_labs(file: Path) -> Iterator[Path]:
    """A new one beside `file`; what a lab has left that ended the calibration can be read."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=f"{file.stem}-lab-", dir=file.parent))
    except OSError as error:
        raise SamplesError(f"{file.parent} cannot be written: {error.strerror}") from None
    failed = False
    try:
        yield folder
    except MeasurementError:
        failed = True
        raise
    finally:
        if not failed:
            shutil.rmtree(folder, ignore_errors=True)


def _collected(
    networks: Mapping[str, Topology],
    per_network: int,
    file: Path,
    folder: Path,
    progress: Progress,
) -> Samples:
    strange = [name for name, one in read(file).networks.items() if networks.get(name, one) != one]
    if strange:
        raise SamplesError(f"{file}: another network of the name {strange[0]}: give another file")
    wanted = per_network * len(networks)
    barren, refused = 0, {name: set[int]() for name in networks}
    while (left := _least_measured(read(file), networks, per_network)) is not None:
        held = read(file)
        known = sum(min(len(held.numbers(name)), per_network) for name in networks)
        missing = per_network - len(held.numbers(left))
        trials = _next(networks[left], held.numbers(left) | refused[left], missing)
        progress(f"measuring {left}, {known} of {wanted} samples", known / wanted)
        refused[left] |= {one.number for one in trials}
        samples, failure = _measured(
            left, networks[left], trials, file, folder, progress, known, wanted
        )
        barren = 0 if samples else barren + 1
        if barren == _BARREN_LABS:
            raise MeasurementError(failure)
    return read(file)


def _least_measured(
    held: Samples, networks: Mapping[str, Topology], per_network: int
) -> str | None:
    least = min(networks, key=lambda name: len(held.numbers(name)))
    return least if len(held.numbers(least)) < per_network else None


def _next(topology: Topology, but: frozenset[int], missing: int) -> list[Trial]:
    numbers = islice((number for number in count() if number not in but), min(missing, _PER_LAB))
    return [trial(topology, number) for number in numbers]


def _measured(
    name: str,
    topology: Topology,
    trials: Sequence[Trial],
    file: Path,
    folder: Path,
    progress: Progress,
    known: int,
    wanted: int,
) -> tuple[list[Sample], str]:
    """The samples of one lab, which are in the file by then; else why there are none."""

    def listen(event: Event) -> None:
        if event.event == "traffic-start":
            seconds = round(len(trials) * STEP_S)
            words = f"{known} of {wanted} samples; {len(trials)} on {name} take {seconds} s"
            progress(words, known / wanted)

    shutil.rmtree(folder, ignore_errors=True)  # what the lab before has left
    try:
        samples = measure(name, topology, trials, folder, listen)
    except MeasurementError as error:
        return [], str(error)
    except MeasuredInPart as part:
        append(file, _records(name, topology, part.samples, file))
        raise
    append(file, _records(name, topology, samples, file))
    return samples, ""


def _records(
    name: str, topology: Topology, samples: Sequence[Sample], file: Path
) -> Iterator[Network | Sample]:
    if samples and name not in read(file).networks:
        yield Network(name, topology)
    yield from samples

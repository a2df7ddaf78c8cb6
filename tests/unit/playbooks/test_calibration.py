"""How samples are collected, with labs that take no time."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from playbooks import calibration
from playbooks.calibration_lab import MeasuredInPart
from playbooks.calibration_trials import Trial
from results.run_directory import Event
from testbed.reference.errors import MeasurementError
from topologies.catalogue import load_topology
from topologies.model import Topology
from twin.samples import Sample, SamplesError, read

NETWORKS = {"triangle": load_topology("triangle")}


class Labs:
    """Measures whatever it is asked for."""

    def __init__(self) -> None:
        self.folders: list[Path] = []
        self.failure: Exception | None = None

    def measure(
        self,
        network: str,
        topology: Topology,
        trials: Sequence[Trial],
        out: Path,
        listen: Callable[[Event], None],
    ) -> list[Sample]:
        del listen
        (out / "run").mkdir(parents=True)
        self.folders.append(out)
        if self.failure:
            raise self.failure
        return [_sample(network, topology, trial) for trial in trials]


def _sample(network: str, topology: Topology, trial: Trial) -> Sample:
    zeros = (0,) * len(topology.od_pairs)
    return Sample(
        network=network,
        number=trial.number,
        load=trial.load,
        paths=tuple(trial.paths[pair] for pair in topology.od_pairs),
        od_bps=zeros,
        frame_bytes=zeros,
        since_s=0.0,
        duration_s=1.0,
        packets=zeros,
        lost=zeros,
        mean_ms=zeros,
        p95_ms=zeros,
    )


@pytest.fixture
def labs(monkeypatch: pytest.MonkeyPatch) -> Labs:
    labs = Labs()
    monkeypatch.setattr(calibration, "measure", labs.measure)
    return labs


def collect(file: Path, said: Callable[[str], object] = lambda _: None) -> int:
    done = calibration.collect(NETWORKS, 3, file, lambda words, _: said(words))
    return len(done.samples)


def test_a_file_of_something_else_is_left_as_it_is(tmp_path: Path, labs: Labs) -> None:
    file = tmp_path / "notes.json"
    file.write_text('{"milk": 2}')
    with pytest.raises(SamplesError, match=r"notes.json.*give another file"):
        collect(file)
    assert file.read_text() == '{"milk": 2}'
    assert labs.folders == []


def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(
    tmp_path: Path, labs: Labs
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SamplesError, match="cannot be written"):
        collect(tmp_path / "file" / "samples.jsonl")
    assert labs.folders == []


def test_labs_have_a_folder_of_their_own_that_goes_with_them(tmp_path: Path, labs: Labs) -> None:
    file, mine = tmp_path / "notes.jsonl", tmp_path / "notes-lab" / "diary.txt"
    mine.parent.mkdir()
    mine.touch()
    assert collect(file) == 3
    assert mine.exists()
    assert labs.folders
    assert set(tmp_path.iterdir()) == {file, mine.parent}


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), MeasuredInPart([])])
def test_nothing_but_samples_is_left_of_a_calibration_that_was_stopped(
    tmp_path: Path, labs: Labs, failure: Exception
) -> None:
    labs.failure = failure
    with pytest.raises(type(failure)):
        collect(tmp_path / "samples.jsonl")
    assert list(tmp_path.iterdir()) == [tmp_path / "samples.jsonl"]


def test_what_the_last_lab_that_failed_has_left_can_be_read(tmp_path: Path, labs: Labs) -> None:
    labs.failure = MeasurementError("too slow")
    with pytest.raises(MeasurementError, match="too slow"):
        collect(tmp_path / "samples.jsonl")
    assert (labs.folders[-1] / "run").is_dir()


@pytest.mark.usefixtures("labs")
def test_a_second_calibration_waits_for_the_end_of_the_first(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    said: list[str] = []
    waits = threading.Event()

    def say(words: str) -> None:
        said.append(words)
        waits.set()

    second = threading.Thread(target=collect, args=(file, say))
    with file.open("ab") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        second.start()
        assert waits.wait(5)
        assert said == [f"another calibration writes {file}: waiting for its end"]
        assert read(file).samples == ()
    second.join(5)
    assert len(read(file).samples) == 3

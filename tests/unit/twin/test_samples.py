from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from packet_network import simulate
from small_networks import square

from topologies.paths import shortest_paths
from twin.indexing import Indexing
from twin.samples import Network, Sample, SamplesError, append, array, read


def _sample(number: int = 0) -> Sample:
    indexing = Indexing(square())
    od_bps = np.full(len(indexing.pairs), 1e6)
    random = np.random.default_rng(number)
    return simulate(indexing, shortest_paths(square()), od_bps, random, number, until_s=2.2)


def test_samples_are_read_as_they_were_appended(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    assert read(file).samples == ()
    append(file, [Network("simulated", square()), _sample(0)])
    append(file, [_sample(1)])
    held = read(file)
    assert held.samples == (_sample(0), _sample(1))
    assert held.networks == {"simulated": square()}
    assert held.numbers("simulated") == {0, 1}


def test_a_line_that_broke_off_is_left_out_and_written_over(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    append(file, [Network("simulated", square()), _sample(0), _sample(1)])
    file.write_bytes(file.read_bytes()[:-10])
    assert len(read(file).samples) == 1
    append(file, [_sample(2)])
    assert [one.number for one in read(file).samples] == [0, 2]


def test_samples_that_do_not_say_when_their_traffic_began_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    append(file, [Network("simulated", square()), _sample()])
    lines = file.read_bytes().splitlines(keepends=True)
    fields = msgspec.json.decode(lines[1])
    del fields["since_s"]
    file.write_bytes(lines[0] + msgspec.json.encode(fields) + b"\n")
    with pytest.raises(SamplesError, match=r"line 2.*since_s.*give another file"):
        read(file)


@pytest.mark.parametrize("content", [b"{}\n", b"nonsense\n", b"{}", b"nonsense"])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_bytes(content)
    with pytest.raises(SamplesError, match=r"samples.jsonl.*no readable samples.*another file"):
        read(file)


def test_a_sample_without_its_network_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    append(file, [_sample()])
    with pytest.raises(SamplesError, match="network that is not in it"):
        read(file)


def test_none_is_not_a_number() -> None:
    assert np.isnan(array([1.0, None])).tolist() == [False, True]

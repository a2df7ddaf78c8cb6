"""The what-if benchmark on a small network: it asks as many questions as it says."""

from __future__ import annotations

import argparse

import pytest

from benchmarks.whatif import _LOADS, _matrices, add_arguments, run
from topologies.catalogue import load_topology
from topologies.paths import shortest_paths
from twin.indexing import Indexing
from twin.model import PerformanceModel

ABILENE = load_topology("topohub:sndlib/abilene")


def test_matrices_load_the_busiest_link_as_stated() -> None:
    model = PerformanceModel(Indexing(ABILENE))
    (od_bps,) = _matrices(ABILENE, 0.5, 1)
    predicted = model.predict(shortest_paths(ABILENE), od_bps)
    assert predicted.max_utilisation == pytest.approx(0.5, abs=0.01)


def test_every_failure_is_asked_for_every_matrix_and_routing() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    report = run(parser.parse_args(["--matrices", "3"]), lambda *_: None)
    failures = len(ABILENE.core_links) + len(ABILENE.switches)
    assert [row["figures"]["questions"] for row in report.rows] == [2 * failures * 3] * len(_LOADS)
    assert len(report.targets) == len(_LOADS)

"""What the TE benchmark judges, without a lab."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.decider import Decider
from benchmarks.te import Case, Large, Measured, _judged, decided
from topologies.catalogue import load_topology
from topologies.loads import max_link_utilisation
from topologies.optimum import min_max_utilisation
from topologies.paths import shortest_paths
from topologies.random_networks import random_network

ABILENE = load_topology("topohub:sndlib/abilene")


def one_case() -> Case:
    random = np.random.default_rng(1)
    od_bps = random.exponential(1e6, len(ABILENE.od_pairs))
    return decided(Decider(ABILENE), od_bps, od_bps, random)


def test_a_matrix_is_scaled_to_its_optimum_and_routed_nearer_to_it() -> None:
    case = one_case()
    assert min_max_utilisation(ABILENE, case.matrix_bps) == pytest.approx(0.9)
    assert 1.0 - 1e-6 <= case.true <= case.shortest
    assert case.ecmp > 1.0
    assert case.true == pytest.approx(
        max_link_utilisation(ABILENE, case.routing, case.matrix_bps) / 0.9
    )
    assert 1.0 - 1e-6 <= case.failure < 1.5


def test_a_run_that_was_no_result_leaves_its_target_unmet() -> None:
    cases = [one_case()]
    for measured, known in (([1.0, None], False), ([], False), ([1.02, 1.0], True)):
        targets, beside = _judged(cases, Measured([1.0], measured), Large([100.0], [200.0]))
        true, forecast = [target for target in targets if "packets" in target.name]
        assert true.measured == 1.0
        assert (forecast.measured is not None) == known
        assert beside["shortest paths"]["TE ratio, true matrix, mean"] == cases[0].shortest
        assert beside["hop-count ECMP"]["TE ratio, true matrix, mean"] == cases[0].ecmp


def test_where_no_lab_was_asked_for_none_is_judged() -> None:
    targets, _ = _judged([one_case()], Measured([], []), Large([100.0], [200.0]))
    assert not [target.name for target in targets if "packets" in target.name]


def test_a_failure_cuts_nobody_off() -> None:
    decider = Decider(random_network(8, 8, 1))  # a ring, or a ring with a tail
    down = decider.failure(np.random.default_rng(0))
    left = shortest_paths(decider.topology, down=down)
    assert len(left) == len(decider.topology.od_pairs)


def test_the_large_network_is_connected_and_as_large_as_stated() -> None:
    topology = random_network(75, 110, 0)
    assert (len(topology.switches), len(topology.core_links)) == (75, 110)
    assert len(topology.od_pairs) == 75 * 74
    assert min_max_utilisation(topology, np.ones((75, 75)) - np.eye(75)) > 0

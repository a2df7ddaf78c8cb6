"""What the TE benchmark judges, without a lab."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.te import Decider, _judged
from topologies.catalogue import load_topology
from topologies.loads import max_link_utilisation
from topologies.optimum import min_max_utilisation
from topologies.random_networks import random_network

ABILENE = load_topology("topohub:sndlib/abilene")


def test_a_matrix_is_scaled_to_its_optimum_and_routed_nearer_to_it() -> None:
    od_bps = np.random.default_rng(1).exponential(1e6, len(ABILENE.od_pairs))
    case = Decider(ABILENE).case(od_bps, od_bps)
    assert min_max_utilisation(ABILENE, case.matrix_bps) == pytest.approx(0.9)
    assert 1.0 - 1e-6 <= case.true <= case.shortest
    assert case.true == pytest.approx(
        max_link_utilisation(ABILENE, case.routing, case.matrix_bps) / 0.9
    )


def test_a_run_that_was_no_result_leaves_its_target_unmet() -> None:
    od_bps = np.random.default_rng(1).exponential(1e6, len(ABILENE.od_pairs))
    cases = [Decider(ABILENE).case(od_bps, od_bps)]
    for measured, known in (([1.0, None], False), ([], False), ([1.02, 1.0], True)):
        targets, beside = _judged(cases, measured, [100.0])
        (on_packets,) = [target for target in targets if "packets" in target.name]
        assert (on_packets.measured is not None) == known
        assert beside["TE ratio, true matrix, mean"] == cases[0].shortest


def test_the_large_network_is_connected_and_as_large_as_stated() -> None:
    topology = random_network(75, 110, 0)
    assert (len(topology.switches), len(topology.core_links)) == (75, 110)
    assert len(topology.od_pairs) == 75 * 74
    assert min_max_utilisation(topology, np.ones((75, 75)) - np.eye(75)) > 0

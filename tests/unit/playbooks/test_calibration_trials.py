from __future__ import annotations

import numpy as np
import pytest

from playbooks.calibration_trials import LOADS, networks, trial
from topologies.optimum import min_max_utilisation


@pytest.mark.parametrize("name", networks())
def test_trials_are_the_same_by_number_and_spread_over_the_loads(name: str) -> None:
    topology = networks()[name]
    trials = [trial(topology, number) for number in range(8)]
    assert (trial(topology, 3).matrix_bps == trials[3].matrix_bps).all()
    assert trial(topology, 3).paths == trials[3].paths
    loads = [one.load for one in trials]
    assert min(loads) < 0.4
    assert max(loads) > 1.0
    assert all(0.8 * LOADS[0] < load <= LOADS[1] + 1e-6 for load in loads)
    for one in trials:
        assert one.load == pytest.approx(min_max_utilisation(topology, one.matrix_bps))
        assert not np.diag(one.matrix_bps).any()
        for (source, target), path in one.paths.items():
            assert (path[0], path[-1]) == (topology.switch_of[source], topology.switch_of[target])

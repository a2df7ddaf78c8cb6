"""What `bench twin-accuracy` holds out."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.twin_accuracy import held_out_targets, split
from playbooks.calibration_trials import LOADS
from topologies.catalogue import load_topology
from topologies.paths import shortest_paths
from twin.fitting import Case, cases_of
from twin.samples import Sample, Samples

TOPOLOGY = load_topology("triangle")


def sample(network: str, number: int, load: float = 0.5) -> Sample:
    pairs, routing = TOPOLOGY.od_pairs, shortest_paths(TOPOLOGY)
    many = len(pairs)
    return Sample(
        network=network,
        number=number,
        load=load,
        paths=tuple(routing[pair] for pair in pairs),
        od_bps=(1e6,) * many,
        frame_bytes=(1442.0,) * many,
        since_s=2.0,
        duration_s=4.0,
        packets=(300,) * many,
        lost=(0,) * many,
        mean_ms=(1.0,) * many,
        p95_ms=(1.0,) * many,
    )


def cases(*samples: Sample) -> list[Case]:
    return cases_of(Samples({one.network: TOPOLOGY for one in samples}, samples))


def trials(some: list[Case]) -> set[tuple[str, int]]:
    return {(case.sample.network, case.sample.number) for case in some}


def test_the_highest_numbers_of_every_network_are_held_out_in_any_order() -> None:
    order = np.random.default_rng(0).permutation(60)
    every = [sample("abc"[at % 3], int(at // 3)) for at in order]
    train, held = split(cases(*every))
    assert trials(held) == {(name, number) for name in "abc" for number in range(14, 20)}
    assert len(train) == 60 - len(held)


def test_no_trial_is_on_both_sides_when_it_was_measured_twice() -> None:
    every = [sample("a", number) for number in (*range(10), 6, 7, 8, 6)]
    train, held = split(cases(*every))
    assert not trials(train) & trials(held)
    assert len(train) + len(held) == len(every)


def test_samples_measured_after_those_to_learn_from_are_what_is_held_out() -> None:
    _, held = split(cases(*(sample("a", number) for number in range(73))))
    assert min(number for _, number in trials(held)) >= 50


@pytest.mark.parametrize(
    ("names", "numbers", "loads", "unmet"),
    [
        ("abc", 20, LOADS, set()),
        ("abc", 19, LOADS, {"held-out (matrix, routing) pairs"}),
        ("ab", 40, LOADS, {"networks"}),
        ("abc", 20, (0.5, 1.3), {"lightest load held out, of the LP's capacity"}),
        ("abc", 20, (0.2, 0.9), {"heaviest load held out, of the LP's capacity"}),
    ],
)
def test_too_few_or_too_much_alike_is_an_unmet_target(
    names: str, numbers: int, loads: tuple[float, float], unmet: set[str]
) -> None:
    spread = np.linspace(*loads, numbers)
    held = cases(*(sample(name, at, float(spread[at])) for name in names for at in range(numbers)))
    assert {target.name for target in held_out_targets(held) if not target.met} == unmet

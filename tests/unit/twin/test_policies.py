from __future__ import annotations

from dataclasses import replace
from pathlib import Path as FilePath

import numpy as np
import pytest
from small_networks import demand, square

from topologies.loads import link_loads_bps, link_rates_bps
from topologies.model import OdPair, Path
from topologies.paths import shortest_paths
from twin.candidates import CandidatePaths
from twin.indexing import FloatArray, Indexing
from twin.model import PerformanceModel
from twin.policies import ShortestPathPolicy, TwinPolicy, UnknownPolicyError, resolve
from twin.view import TwinView

TOPOLOGY = square()
INDEXING = Indexing(TOPOLOGY)
HOT = demand(TOPOLOGY, h1_h3=6, h2_h3=6)
COOL = demand(TOPOLOGY, h1_h3=3, h2_h3=3)


def view(
    od_bps: FloatArray,
    now_s: float = 100.0,
    routing: dict[OdPair, Path] | None = None,
    forecast_bps: FloatArray | None = None,
    forecast_in_s: float = 3.0,
    down: frozenset[tuple[str, str]] = frozenset(),
) -> TwinView:
    routing = routing or shortest_paths(TOPOLOGY)
    square_bps = np.zeros((5, 5))
    square_bps[~np.eye(5, dtype=bool)] = od_bps
    loads = link_loads_bps(TOPOLOGY, routing, square_bps) / link_rates_bps(TOPOLOGY)
    return TwinView(
        now_s=now_s,
        topology=TOPOLOGY,
        routing=routing,
        down=down,
        dropped=frozenset(),
        measured_bps=od_bps,
        forecast_bps=od_bps if forecast_bps is None else forecast_bps,
        forecast_in_s=forecast_in_s,
        utilisation=loads,
        _model=PerformanceModel(INDEXING),
        _candidates=CandidatePaths(INDEXING),
    )


def test_shipped_policies_resolve_by_name() -> None:
    assert isinstance(resolve("shortest-path"), ShortestPathPolicy)
    assert isinstance(resolve("twin"), TwinPolicy)


def test_a_policy_of_one_s_own_resolves_by_module_and_class() -> None:
    assert isinstance(resolve("twin.policies:TwinPolicy"), TwinPolicy)


def test_an_installed_package_may_announce_a_policy(
    tmp_path: FilePath, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "theirs-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        "[twinbed.policies]\ntheirs = twin.policies:TwinPolicy\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert isinstance(resolve("theirs"), TwinPolicy)
    with pytest.raises(UnknownPolicyError, match="twin-rl, theirs"):
        resolve("theirz")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("twim", "unknown policy 'twim': known are shortest-path, ecmp, greedy, twin"),
        ("", "known are shortest-path, ecmp, greedy, twin"),
        ("no_such_module:Policy", "No module named 'no_such_module'"),
        ("twin.policies:NoSuch", "NoSuch"),
        ("pathlib:PurePath", "has no name or no decide"),
        ("json:loads", "cannot be loaded"),
    ],
)
def test_what_is_no_policy_is_refused_with_the_reason(reference: str, message: str) -> None:
    with pytest.raises(UnknownPolicyError, match=message):
        resolve(reference)


def test_shortest_path_never_moves() -> None:
    assert ShortestPathPolicy().decide(view(HOT)) is None


def test_a_measured_hot_link_is_relieved_by_the_fewest_moves() -> None:
    proposal = TwinPolicy().decide(view(HOT))
    assert proposal is not None
    assert proposal.reason == "hot-link"
    assert dict(proposal.moves) == {("h1", "h3"): ("s1", "s4", "s3")}


def test_a_cool_network_is_left_alone() -> None:
    assert TwinPolicy().decide(view(COOL)) is None


def test_a_link_forecast_to_run_hot_is_relieved_before_it_does() -> None:
    early = view(COOL, forecast_bps=HOT, forecast_in_s=3.0)
    assert TwinPolicy().decide(early) is None
    late = view(COOL, forecast_bps=HOT, forecast_in_s=0.5)
    proposal = TwinPolicy().decide(late)
    assert proposal is not None
    assert ("h1", "h3") in proposal.moves or ("h2", "h3") in proposal.moves


def test_it_rests_after_a_reroute() -> None:
    policy = TwinPolicy()
    assert policy.decide(view(HOT, 100.0)) is not None
    assert policy.decide(view(HOT, 100.25)) is None
    assert policy.decide(view(HOT, 100.0 + policy.HOLD_S)) is not None


def test_it_acts_only_on_a_clear_gain() -> None:
    # Whatever is done, one pair of 9.5 Mbit/s loads some link to 95 %.
    assert TwinPolicy().decide(view(demand(TOPOLOGY, h1_h3=9.5))) is None


def test_a_failure_is_answered_at_once_even_while_resting() -> None:
    policy = TwinPolicy()
    assert policy.decide(view(HOT, 100.0)) is not None
    down = frozenset({("s1", "s4"), ("s4", "s1")})
    moved = {**shortest_paths(TOPOLOGY, down=down)}
    proposal = policy.decide(view(HOT, 100.1, moved, down=down))
    assert proposal is not None
    assert proposal.reason == "failure"
    assert proposal.moves["h1", "h3"] == ("s1", "s5", "s3")


def test_a_recovery_is_used() -> None:
    policy = TwinPolicy()
    down = frozenset({("s1", "s4"), ("s4", "s1"), ("s1", "s5"), ("s5", "s1")})
    assert policy.decide(view(HOT, 100.0, shortest_paths(TOPOLOGY, down=down), down=down)) is None
    proposal = policy.decide(view(HOT, 101.0))
    assert proposal is not None
    assert proposal.reason == "recovery"


def test_it_does_not_flap_when_demand_swings() -> None:
    policy = TwinPolicy()
    routing = dict(shortest_paths(TOPOLOGY))
    decisions = 0
    for step in range(200):
        swing = 1 + 0.1 * np.sin(step)
        proposal = policy.decide(view(HOT * swing, 100 + 0.25 * step, routing))
        if proposal:
            decisions += 1
            routing.update(proposal.moves)
    assert decisions == 1


def test_a_view_can_be_asked_what_if() -> None:
    seen = view(HOT)
    moved = seen.what_if({("h1", "h3"): ("s1", "s4", "s3")})
    assert seen.what_if({}).max_utilisation == pytest.approx(1.2)
    assert moved.max_utilisation == pytest.approx(0.6)
    assert moved.mean_delay_ms < seen.what_if({}).mean_delay_ms
    assert seen.what_if({}, 0.5 * HOT).max_utilisation == pytest.approx(0.6)


def test_gaps_in_the_utilisation_are_not_hot() -> None:
    seen = replace(view(COOL), utilisation=np.full(INDEXING.cores, np.nan))
    assert TwinPolicy().decide(seen) is None


def test_the_policy_of_the_documentation_works() -> None:
    text = (FilePath(__file__).parents[3] / "docs" / "policies.md").read_text()
    code = text.split("```python")[1].split("```")[0]
    scope: dict[str, object] = {}
    exec(compile(code, "docs/policies.md", "exec"), scope)
    policy = scope["LargestFirst"]()  # type: ignore[operator]
    assert policy.decide(view(COOL)) is None
    assert len(policy.decide(view(HOT)).moves) == 1

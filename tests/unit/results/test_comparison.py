from __future__ import annotations

import io
import json
from typing import Any

import pytest
from rich.console import Console

from results.comparison import FIGURES, PAPER, compare, estimate, metric_value
from results.summary import Summary
from results.tables import change_text, comparison_table, figures_table, value_text


def summary(policy: str, seed: int = 1, playbook: str = "high-load", **metrics: Any) -> Summary:
    return Summary(
        run=f"{playbook}-{policy}-{seed}",
        playbook=playbook,
        policy=policy,
        protection=metrics.pop("protection", "none"),
        seed=seed,
        verdict=(verdict := metrics.pop("verdict", "valid")),
        valid=verdict != "invalid",
        reasons=metrics.pop("reasons", ()),
        warnings=metrics.pop("warnings", ()),
        details=metrics.pop("details", {}),
        metrics=metrics,
    )


def shown(table: Any) -> str:
    console = Console(file=io.StringIO(), width=80)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_outage_names_the_kinds_of_fault_that_it_is_about() -> None:
    details = {"outage_ms_by_kind": {"switch-crash": {}, "link-down": {}}}
    sides = [
        summary(policy, outage_ms={"p50": 10.0}, goodput_mbps=1.0, details=details)
        for policy in ("plain", "twin")
    ]
    labels = [row.label for row in compare([sides[0]], [sides[1]]).rows]
    assert labels == ["goodput", "outage, median (link-down, switch-crash)"]
    assert "outage, median (link-down, switch-crash)" in shown(figures_table(sides[0]))


def test_runs_that_differ_in_their_protection_are_told_apart() -> None:
    plain = summary("twin", goodput_mbps=1.0)
    protected = summary("twin", goodput_mbps=1.0, protection="fast-failover")
    comparison = compare([plain], [protected])
    assert (comparison.before, comparison.after) == ("twin", "twin with fast-failover")
    assert "…" not in shown(comparison_table(comparison))
    assert "under twin with fast-failover (valid)" in shown(figures_table(protected))


def test_what_only_a_twin_could_say_is_a_dash_without_one() -> None:
    table = shown(figures_table(summary("ospf", goodput_mbps=1.0)))
    assert [line.split()[-1] for line in table.splitlines() if "skill" in line] == ["–"]
    assert "skill" not in shown(figures_table(summary("shortest-path", goodput_mbps=1.0)))


def test_a_change_is_relative_or_in_points_and_knows_its_direction() -> None:
    before = summary(
        "plain",
        latency_ms={"mean": 100.0, "p95": 200.0},
        utilisation_percent=70.0,
        goodput_mbps=40.0,
    )
    after = summary(
        "twin",
        latency_ms={"mean": 60.0, "p95": 200.2},
        utilisation_percent=88.0,
        goodput_mbps=36.0,
        detection_s=2.0,
    )
    rows = {row.figure.metric: row for row in compare([before], [after]).rows}
    assert rows["latency_ms.mean"].change_percent == pytest.approx(-40.0)
    assert rows["latency_ms.mean"].better is True
    assert rows["latency_ms.p95"].better is None
    assert rows["utilisation_percent"].change_percent == pytest.approx(18.0)
    assert rows["utilisation_percent"].better is True
    assert rows["goodput_mbps"].better is False
    assert rows["detection_s"].before is None
    assert rows["detection_s"].change_percent is None
    assert "error_rate_percent" not in rows


def test_a_change_from_zero_is_for_better_or_worse_in_its_own_unit() -> None:
    before = summary(
        "plain", packets_lost=0, error_rate_percent=0.0, goodput_mbps=0.0, false_alarms=0
    )
    after = summary(
        "twin", packets_lost=5000, error_rate_percent=1.5, goodput_mbps=2.0, false_alarms=0
    )
    rows = {row.figure.metric: row for row in compare([before], [after]).rows}
    told = {metric: (row.better, change_text(row)) for metric, row in rows.items()}
    assert told == {
        "packets_lost": (False, "+5,000"),
        "error_rate_percent": (False, "+1.50 pt"),
        "goodput_mbps": (True, "+2.00 Mbit/s"),
        "false_alarms": (None, "–"),
    }


def test_the_paper_stands_beside_its_own_scenarios() -> None:
    metrics: dict[str, Any] = {"latency_ms": {"mean": 1.0}, "outage_ms": {"p50": 1.0}}
    sides = [
        [summary(policy, playbook=playbook, **metrics) for playbook in ("high-load", "mine")]
        for policy in ("plain", "twin")
    ]
    papers = {(row.scenario, row.figure.metric): row.paper for row in compare(*sides).rows}
    assert papers["high-load", "latency_ms.mean"] == PAPER["high-load", "latency_ms.mean"]
    assert papers["mine", "latency_ms.mean"] == PAPER["", "latency_ms.mean"]
    assert papers["mine", "outage_ms.p50"] is None


def test_every_figure_of_the_paper_is_one_of_ours() -> None:
    assert {metric for _, metric in PAPER} <= {figure.metric for figure in FIGURES}


def test_several_seeds_give_a_mean_with_students_interval() -> None:
    # t(0.975, 2) = 4.3027, s = 2, n = 3
    found = estimate([10.0, 12.0, 14.0])
    assert found.mean == pytest.approx(12.0)
    assert found.half_width == pytest.approx(4.30265 * 2 / 3**0.5, rel=1e-5)
    assert estimate([10.0]).half_width is None


def test_several_runs_a_side() -> None:
    before = [summary("plain", seed, error_rate_percent=5.0 + seed) for seed in (1, 2, 3)]
    after = [summary("twin", seed, error_rate_percent=1.0) for seed in (1, 2, 3)]
    comparison = compare(before, after)
    (row,) = comparison.rows
    assert row.before is not None
    assert (row.before.mean, row.before.runs) == (pytest.approx(7.0), 3)
    assert comparison.valid
    assert "±" in shown(comparison_table(comparison))


def test_an_invalid_run_or_other_seeds_spoil_a_comparison() -> None:
    bad = summary("plain", verdict="invalid", reasons=("too busy",), goodput_mbps=1.0)
    comparison = compare([bad], [summary("twin", 2, goodput_mbps=2.0)])
    assert not comparison.valid
    assert comparison.reasons == (
        "high-load-plain-1: too busy",
        "high-load: the seeds differ ([1] before, [2] after)",
    )
    assert comparison.verdict == "invalid"
    assert "(INVALID)" in shown(comparison_table(comparison))
    assert "too busy" in shown(comparison_table(comparison))


def test_a_degraded_run_is_a_result_that_says_so() -> None:
    late = summary("plain", verdict="degraded", warnings=("frames [late]",), goodput_mbps=1.0)
    comparison = compare([late], [summary("twin", goodput_mbps=2.0)])
    assert comparison.valid
    assert comparison.verdict == comparison.document()["verdict"] == "degraded"
    for table in (comparison_table(comparison), figures_table(late)):
        assert "(DEGRADED)" in shown(table)
        assert "frames [late]" in shown(table)


def test_without_a_common_playbook_there_is_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="a against b"):
        compare([summary("plain", playbook="a")], [summary("twin", playbook="b")])
    with pytest.raises(ValueError, match="no playbook"):
        compare([], [])


def test_the_document_is_plain_json() -> None:
    comparison = compare([summary("plain", goodput_mbps=1.0)], [summary("twin", goodput_mbps=2.0)])
    document = json.loads(json.dumps(comparison.document()))
    assert document["rows"][0]["metric"] == "goodput_mbps"
    assert document["rows"][0]["change_percent"] == pytest.approx(100.0)


def test_the_tables_fit_a_terminal_of_80_columns() -> None:
    metrics: dict[str, Any] = {
        "latency_ms": {"mean": 81.234, "p95": 239.9},
        "outage_ms": {"p50": 61.0, "max": 81.0},
        "goodput_mbps": 33.456,
    }
    comparison = compare(
        [summary("shortest-path", **metrics, playbook="network-failure")],
        [summary("twin", **metrics, playbook="network-failure")],
    )
    table = shown(comparison_table(comparison))
    assert "…" not in table
    assert "300 → 100 s" in table
    assert "33.5 Mbit/s" in shown(figures_table(summary("twin", **metrics)))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (81.234, "ms", "81.2 ms"),
        (0.2447, "%", "0.245 %"),
        (300e3, "ms", "300 s"),
        (0.0, "s", "0.00 s"),
        (2.0, "", "2"),
        (-0.5, "", "-0.500"),
        (12345.6, "Mbit/s", "12,346 Mbit/s"),
    ],
)
def test_values_have_three_digits(value: float, unit: str, text: str) -> None:
    assert value_text(value, unit) == text


def test_metrics_are_found_by_dotted_names() -> None:
    assert metric_value({"latency_ms": {"p95": 3}}, "latency_ms.p95") == 3.0
    assert metric_value({"latency_ms": {"p95": 3}}, "latency_ms.p99") is None
    assert metric_value({}, "latency_ms.p99") is None

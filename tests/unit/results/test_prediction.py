from __future__ import annotations

import msgspec
import pytest
from recorded_run import triangle

from controller.messages import Route
from results.metrics.prediction import (
    decision_documents,
    delay_accuracy,
    delay_comparisons,
    forecast_accuracy,
    horizons,
    imputation_nmae,
    reroute_mape_percent,
    staleness_ms,
)
from results.timeline import Window
from testbed.records import ProbeStream
from twin.records import (
    Decision,
    DecisionOutcome,
    DelayPredicted,
    DropDecision,
    ForecastScored,
    Imputation,
)

WINDOW = Window(0.0, 100.0)


def scored(start_s: float, forecast: float, actual: float, horizon: int = 1) -> ForecastScored:
    return ForecastScored(
        t_s=start_s + 1,
        made_at_s=start_s,
        start_s=start_s,
        end_s=start_s + 1.0,
        horizon=horizon,
        od_forecast_bps=(forecast, 100.0),
        od_persistence_bps=(actual - 40.0, 100.0),
        od_mean_bps=(actual - 80.0, 100.0),
        od_actual_bps=(actual, 100.0),
        link_forecast_bps=(90.0,),
        link_actual_bps=(100.0,),
    )


def test_accuracy_is_one_minus_wape_and_skill_is_against_the_best_naive_forecast() -> None:
    records = [scored(1.0, 110.0, 100.0), scored(2.0, 290.0, 300.0), scored(99.5, 0.0, 500.0)]
    records.append(scored(1.0, 0.0, 100.0, horizon=2))
    accuracy = forecast_accuracy(records, WINDOW)
    assert accuracy is not None
    assert accuracy.forecasts == 2
    assert accuracy.accuracy_percent == pytest.approx(100 * (1 - 20 / 600))
    assert accuracy.persistence_accuracy_percent == pytest.approx(100 * (1 - 80 / 600))
    assert accuracy.skill == pytest.approx(1 - 20 / 80)
    assert accuracy.link_wape == pytest.approx(0.1)
    assert horizons(records) == [1, 2]


def test_what_could_not_be_counted_is_not_scored() -> None:
    known, partly = scored(1.0, 110.0, 100.0), scored(2.0, 900.0, 100.0)
    gaps = {"od_actual_bps": (None, 100.0), "link_actual_bps": (None,)}
    accuracy = forecast_accuracy([known, msgspec.structs.replace(partly, **gaps)], WINDOW)
    assert accuracy is not None
    assert accuracy.accuracy_percent == pytest.approx(100 * (1 - 10 / 300))
    assert accuracy.link_wape == pytest.approx(0.1)


def test_no_forecast_no_accuracy() -> None:
    assert forecast_accuracy([], WINDOW) is None
    assert forecast_accuracy([scored(1.0, 1.0, 1.0)], Window(50.0, 60.0)) is None


def probe(delays: list[float | None]) -> ProbeStream:
    return ProbeStream(
        src="ha",
        dst="hb",
        purpose="latency",
        spacing_ms=100.0,
        sent_s=tuple(10.0 + 0.1 * n for n in range(len(delays))),
        forward_ms=tuple(delays),
        backward_ms=(None,) * len(delays),
    )


def predicted(delay_ms: float, start_s: float = 10.0) -> DelayPredicted:
    return DelayPredicted(
        t_s=start_s + 1,
        start_s=start_s,
        end_s=start_s + 1.0,
        od_delay_ms=(delay_ms, *[999.0] * 5),
        link_utilisation=(),
    )


def test_twin_delay_is_compared_with_the_mean_of_the_probes_that_arrived() -> None:
    # mean of the first second: (8 * 10 + 20) / 9; one packet was lost
    stream = probe([10.0] * 8 + [20.0, None] + [500.0] * 3)
    compared = delay_comparisons([predicted(10.0)], [stream], triangle(), WINDOW)
    accuracy = delay_accuracy(compared)
    assert accuracy is not None
    measured = 100 / 9
    assert accuracy.mape_percent == pytest.approx(100 * (measured - 10) / measured)
    assert accuracy.bias_ms == pytest.approx(10 - measured)
    assert accuracy.comparisons == 1


def test_too_few_probes_are_not_compared() -> None:
    few = [probe([10.0] * 4)]
    assert delay_accuracy(delay_comparisons([predicted(10.0)], few, triangle(), WINDOW)) is None


def decision(age_ms: float, number: int = 1) -> Decision:
    return Decision(
        t_s=5.0,
        decision_id=f"d{number}",
        policy="twin",
        reason="hot-link",
        moves=(Route("ha", "hb", ("a", "c", "b")),),
        telemetry_age_ms=age_ms,
        predicted_mlu_before=1.2,
        predicted_mlu_after=0.9,
        predicted_mean_delay_ms_before=50.0,
        predicted_mean_delay_ms_after=20.0,
    )


def test_staleness_counts_reroutes_and_drops() -> None:
    drop = DropDecision(t_s=6.0, decision_id="x", src="a", dst="b", telemetry_age_ms=300.0)
    assert staleness_ms([decision(100.0), drop], WINDOW) == {
        "p50": pytest.approx(200.0),
        "p95": pytest.approx(290.0),
    }
    assert staleness_ms([], WINDOW) is None


def test_decisions_stand_beside_what_was_measured() -> None:
    outcome = DecisionOutcome(
        t_s=8.0,
        decision_id="d1",
        switched_s=5.1,
        applied=1,
        refused=(),
        measured_mlu=0.75,
        predicted_mlu=0.9,
    )
    twin = [decision(100.0), decision(100.0, 2), outcome]
    documents = decision_documents(twin, 10.0)
    assert [one["measured_mlu"] for one in documents] == [0.75, None]
    assert reroute_mape_percent(documents) == pytest.approx(20.0)
    assert reroute_mape_percent(documents[1:]) is None
    assert decision_documents(twin, 7.0)[0]["measured_mlu"] is None


def test_imputation_is_summed_over_gaps() -> None:
    def gap(vae: float, linear: float, actual: float) -> Imputation:
        return Imputation(
            t_s=1.0,
            datapath="a",
            start_s=0.0,
            end_s=1.0,
            vae_bps=(vae,),
            linear_bps=(linear,),
            actual_bps=(actual,),
        )

    assert imputation_nmae([gap(11.0, 14.0, 10.0), gap(30.0, 24.0, 30.0)]) == {
        "vae": pytest.approx(1 / 40),
        "linear": pytest.approx(10 / 40),
        "gaps": 2,
    }
    assert imputation_nmae([]) is None

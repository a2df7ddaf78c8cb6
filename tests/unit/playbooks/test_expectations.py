import pytest

from playbooks.expectations import METRICS, Bound, unmet

METRICS_OF_A_RUN = {"error_rate_percent": 4.0, "latency_ms": {"p95": 80.0}}


@pytest.mark.parametrize(
    ("name", "bound", "sentence"),
    [
        ("error_rate_percent", Bound(max=4), None),
        ("error_rate_percent", Bound(max=3.5), "error_rate_percent is 4; expected at most 3.5"),
        ("latency_ms.p95", Bound(min=70, max=80), None),
        ("latency_ms.p95", Bound(min=81), "latency_ms.p95 is 80; expected at least 81"),
        (
            "outage_ms.max",
            Bound(min=1, max=2),
            "outage_ms.max was not measured; expected at least 1 and at most 2",
        ),
        (
            "latency_ms.p9",
            Bound(min=0),
            "latency_ms.p9 was not measured; expected at least 0",
        ),
    ],
)
def test_expectations(name: str, bound: Bound, sentence: str | None) -> None:
    assert list(unmet({name: bound}, METRICS_OF_A_RUN)) == ([] if sentence is None else [sentence])


def test_a_metric_that_is_not_a_number_meets_nothing() -> None:
    assert not Bound(max=1).holds(float("nan"))


def test_metric_names_are_unique() -> None:
    assert len(set(METRICS)) == len(METRICS)

from __future__ import annotations

import numpy as np
import pytest
from recorded_run import triangle

from results.metrics.learning import (
    capacities,
    drift_sentences,
    error_over_time_percent,
    model_error_percent,
)
from results.run_directory import Event
from results.timeline import Window
from twin.records import CapacityLearnt, Drift, LinksScored

WINDOW = Window(100.0, 120.0)


def scored(start_s: float, predicted: float, measured: float, loss: float = 0.0) -> LinksScored:
    return LinksScored(
        t_s=start_s + 1,
        start_s=start_s,
        believed_bps=(10.0, 10.0),
        predicted_bps=(predicted, 5.0),
        measured_bps=(measured, None),
        predicted_loss=(0.0, 0.0),
        measured_loss=(loss, 0.0),
        predicted_delay_ms=(1.0, 1.0),
        measured_delay_ms=(None, None),
    )


def test_the_error_is_that_of_the_load_carried_and_unknown_links_do_not_count() -> None:
    errors = error_over_time_percent([scored(103.0, 8.0, 8.0, loss=0.5)], WINDOW, 1.0)
    assert errors[3] == pytest.approx(100.0)
    assert [error for error in errors if error is not None] == errors[3:4]


def test_begin_and_end_are_medians_of_five_and_a_short_run_has_neither() -> None:
    errors = [40.0, 40.0, 40.0, None, 40.0, 900.0, *[10.0] * 5, *[2.0] * 4, 500.0]
    assert model_error_percent(errors) == {"begin": 40.0, "end": 2.0}
    assert model_error_percent(errors[:9]) is None


def test_believed_and_real_capacity_over_time() -> None:
    topology = triangle()
    a, b = topology.core_directions[0]
    rate = topology.link_between[a, b].shape.rate_bps
    detail = {"link": [a, b], "over_s": 0.0, "rate_bps": rate / 2}
    events = [
        Event(t_s=105.0, event="degrade-start", detail=detail),
        Event(t_s=115.0, event="degrade-end", detail=detail),
    ]
    learnt = CapacityLearnt(
        t_s=108.0,
        sender=a,
        receiver=b,
        configured_bps=rate,
        before_bps=rate,
        after_bps=0.6 * rate,
        loss=0.3,
    )
    there, back = capacities([learnt], events, topology, WINDOW, 1.0)
    assert (there.link, back.link) == ((a, b), (b, a))
    assert (there.real_bps / rate).tolist() == [1.0] * 5 + [0.5] * 10 + [1.0] * 5
    assert there.believed_bps / rate == pytest.approx(np.repeat([1.0, 0.6], [8, 12]))
    assert (back.believed_bps == rate).all()
    killed = Event(t_s=112.0, event="twin-crash", detail={})
    there, _ = capacities([learnt], [*events, killed], topology, WINDOW, 1.0)
    assert there.believed_bps / rate == pytest.approx(np.repeat([1.0, 0.6, 1.0], [8, 4, 8]))


def test_each_of_two_slow_downs_of_a_link_ends_by_itself() -> None:
    topology = triangle()
    a, b = topology.core_directions[0]
    rate = topology.link_between[a, b].shape.rate_bps
    half, most = ({"link": [a, b], "over_s": 0.0, "rate_bps": share * rate} for share in (0.5, 0.8))
    events = [
        Event(t_s=102.0, event="degrade-start", detail=half),
        Event(t_s=104.0, event="degrade-start", detail=most),
        Event(t_s=106.0, event="degrade-end", detail=most),
        Event(t_s=110.0, event="degrade-end", detail=half),
    ]
    there, _ = capacities([], events, topology, WINDOW, 1.0)
    assert (there.real_bps / rate).tolist() == [1.0] * 2 + [0.5] * 8 + [1.0] * 10


def test_drift_is_told_in_words() -> None:
    def drift(t_s: float, *, begun: bool) -> Drift:
        return Drift(
            t_s=t_s, quantity="loss", subject=("s1", "s2"), begun=begun, predicted=0, measured=0.3
        )

    named = {"s1": "Rome", "s2": "Oslo"}
    wrong, right = drift_sentences([drift(103, begun=True), drift(109, begun=False)], named, WINDOW)
    assert "wrong about the loss of Rome → Oslo: 0.0 % predicted, 30.0 % measured" in wrong
    assert "right again" in right
    many = drift_sentences([drift(103, begun=True)] * 20, named, WINDOW)
    assert many[-1] == "and 14 more such changes"


def test_steps_may_be_shorter_than_a_second() -> None:
    errors = error_over_time_percent([scored(103.0, 8.0, 8.0, loss=0.5)], WINDOW, 0.5)
    assert [step for step, error in enumerate(errors) if error is not None] == [7]

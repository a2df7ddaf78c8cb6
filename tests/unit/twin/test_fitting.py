"""Fitting on packets of a simulated network, which a model of theory alone has never seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from packet_network import simulate
from small_networks import square

from topologies.paths import shortest_paths
from twin.fitting import Case, cases_of, errors_of, fit
from twin.indexing import Indexing
from twin.model import PerformanceModel
from twin.residual import Residual, ResidualError
from twin.samples import Samples


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    topology = square()
    indexing, routing = Indexing(topology), shortest_paths(topology)
    samples = []
    for number in range(16):
        random = np.random.default_rng(number)
        od_bps = random.uniform(0.2e6, 1.0e6 + 2e5 * number, len(indexing.pairs))
        samples.append(simulate(indexing, routing, od_bps, random, number, until_s=3.0))
    return cases_of(Samples({"simulated": topology}, tuple(samples)))


def test_fitting_brings_predictions_nearer_to_packets(cases: list[Case]) -> None:
    fitted = fit(cases[:12])
    before, after = (
        errors_of(cases[12:], lambda case, residual=residual: case.told(residual))
        for residual in (Residual(), fitted)
    )
    assert np.abs(after.delay).mean() <= np.abs(before.delay).mean() + 0.01
    assert np.abs(after.delay).mean() < 0.15
    assert 0 < fitted.delay_margin < 1


def test_margins_make_an_interval_about_each_delay(cases: list[Case]) -> None:
    fitted = fit(cases)
    errors = errors_of(cases, lambda case: case.told(fitted))
    assert (np.abs(errors.delay) <= fitted.delay_margin).mean() > 0.7
    low, high = fitted.delay_interval_ms(np.array([10.0]))
    assert low * high == pytest.approx(100.0)
    assert fitted.loss_interval(np.array([0.0, 1.0]))[1].max() <= 1.0


def test_a_single_stream_waits_less_than_many(cases: list[Case]) -> None:
    case = cases[0]
    concentration = case.routed.concentration(case.od_bps[None])[0]
    assert ((concentration > 0) & (concentration <= 1 + 1e-9)).all()
    residual = Residual(streams_exponent=1.0)
    load, streams = np.array([0.9, 0.9]), np.array([1.0, 0.1])
    one, many = residual.variance(1.0, load, streams, pairs=np.array([0.1, 0.1]))
    assert one < many


def test_constant_rates_keep_a_link_that_is_nearly_full_from_queueing() -> None:
    residual = Residual(lasting_share=0.0)
    load, pairs = np.array([0.5, 0.98]), np.array([0.05, 0.05])
    calm, nearly_full = residual.variance(1.0, load, streams=pairs, pairs=pairs)
    assert nearly_full < 0.3 * calm < 0.3
    many = residual.variance(1.0, load, streams=pairs, pairs=pairs / 100)
    assert many[1] > nearly_full


def test_concentrations_are_those_of_links_and_of_pairs(cases: list[Case]) -> None:
    indexing, routed = cases[0].indexing, cases[0].routed
    od_bps = np.zeros((1, len(indexing.pairs)))
    od_bps[0, [indexing.pair["h1", "h3"], indexing.pair["h1", "h2"]]] = 3e6, 1e6
    on = indexing.link["s1", "s2"]
    assert routed.pair_concentration(od_bps)[0, on] == pytest.approx((3**2 + 1) / 4**2)
    assert routed.concentration(od_bps)[0, indexing.link["s2", "s3"]] == pytest.approx(1.0)


def test_smaller_frames_are_sent_sooner(cases: list[Case]) -> None:
    case = cases[0]
    model = PerformanceModel(case.indexing)
    large, small = (
        model.predict_all(case.routed, case.od_bps[None], case.frame_bits / size).od_delay_ms[0]
        for size in (1, 4)
    )
    assert (small < large).all()


def test_elastic_flows_fill_what_is_left(cases: list[Case]) -> None:
    indexing = cases[0].indexing
    routing = shortest_paths(indexing.topology)
    flows = np.zeros(len(indexing.pairs))
    flows[0] = 1
    model = PerformanceModel(indexing)
    prediction, elastic_bps = model.predict_elastic(routing, np.zeros(len(flows)), flows)
    assert elastic_bps[0] == pytest.approx(10e6)
    assert prediction.max_utilisation == pytest.approx(1.0)
    assert prediction.od_p95_ms[0] > prediction.od_delay_ms[0]


def test_a_residual_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "calibration.json"
    kept = Residual(hop_ms=0.3, delay_margin=0.1)
    kept.save(file)
    assert Residual.load(file) == kept
    for damaged in ("nonsense", '{"hop_ms": 0.3, "load_exponent": -1.0}'):  # of another model
        file.write_text(damaged)
        with pytest.raises(ResidualError, match="no readable calibration"):
            Residual.load(file)

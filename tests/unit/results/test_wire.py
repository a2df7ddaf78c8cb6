"""What the switches' counters say of a schedule."""

from __future__ import annotations

import numpy as np
import pytest

from controller.messages import FromController, OdCounters, OdStats, PortCounters, PortStats
from generators.schedule import Schedule
from results.metrics.wire import FEWEST_STEPS, on_the_wire
from results.timeline import Window


def telemetry(rates_bps: np.ndarray, delivered: float = 1.0) -> list[FromController]:
    """Counters at every second from 10.0 on, of a pair whose port lets out a share of it."""
    messages: list[FromController] = []
    for second, sent_bits in enumerate(np.concatenate([[0.0], rates_bps.cumsum()])):
        sent_bytes, t_s = round(sent_bits / 8), 10.0 + second
        ports = (
            PortCounters("hb", 0, 0, 0, round(delivered * sent_bytes), 0, 0),
            PortCounters("ha", 0, 0, 0, round(delivered * 1000 * second**2), 0, 0),
        )
        messages += [
            OdStats(
                t_s=t_s,
                datapath="a",
                pairs=(
                    OdCounters("ha", "hb", 0, sent_bytes),
                    OdCounters("hb", "ha", 0, 1000 * second**2),
                ),
            ),
            PortStats(t_s=t_s, datapath="b", ports=ports),
        ]
    return messages


def schedule(rates_bps: np.ndarray) -> Schedule:
    matrices_bps = np.zeros((len(rates_bps), 2, 2))
    matrices_bps[:, 0, 1] = rates_bps
    matrices_bps[:, 1, 0] = 8000 * (2 * np.arange(len(rates_bps)) + 1)
    return Schedule(("ha", "hb"), 1.0, matrices_bps)


RATES_BPS = 1e6 * (2 + np.sin(np.arange(20.0)))


def test_intervals_of_the_window_are_compared() -> None:
    seen = on_the_wire(telemetry(RATES_BPS, 0.9), schedule(RATES_BPS), 10.0, Window(12.5, 27.2))
    assert seen is not None
    assert seen.first_step == 3
    assert seen.delivered_bps[:, 1] == pytest.approx(0.9 * RATES_BPS[3:17], rel=1e-4)
    assert seen.entered_bps[:, 0, 1] == pytest.approx(RATES_BPS[3:17], rel=1e-4)
    assert seen.port_wape_percent == pytest.approx(10.0, abs=0.01)


def test_a_smoothed_replay_scores_worse_than_a_true_one() -> None:
    window = Window(10.0, 30.0)
    smooth_bps = np.full(20, RATES_BPS.mean())
    true = on_the_wire(telemetry(RATES_BPS), schedule(RATES_BPS), 10.0, window)
    smoothed = on_the_wire(telemetry(smooth_bps), schedule(RATES_BPS), 10.0, window)
    assert true is not None
    assert smoothed is not None
    assert true.fidelity is not None
    assert smoothed.fidelity is not None
    assert true.fidelity.emd == pytest.approx(0.0, abs=1e-3)
    assert smoothed.fidelity.emd > 0.1


def test_too_little_says_nothing() -> None:
    few = RATES_BPS[: FEWEST_STEPS - 1]
    assert on_the_wire([], schedule(RATES_BPS), 10.0, Window(10.0, 30.0)) is None
    assert on_the_wire(telemetry(few), schedule(few), 10.0, Window(10.2, 10.9)) is None
    seen = on_the_wire(telemetry(few), schedule(few), 10.0, Window(10.0, 30.0))
    assert seen is not None
    assert seen.fidelity is None

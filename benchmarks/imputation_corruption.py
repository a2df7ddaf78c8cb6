"""Stuck and jumping counters in a record, and how many of them the VAE finds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.imputation_gaps import LOAD_ERROR
from generators.gaps import SPAN, BoolArray
from generators.schedule import FloatArray
from generators.vae import TelemetryVae

_STUCK_STEPS = 6
_A_STEP = 0.5
"""Counters that get stuck, and that jump, in the mean of a step."""
_JUMP = (3.0, 30.0)


def corruption_row(
    vae: TelemetryVae, crossing: FloatArray, history: FloatArray, truth: FloatArray, seed: int
) -> dict[str, Any]:
    """Spoil a record, look at it step by step as the twin would, and count."""
    random = np.random.default_rng(seed)
    told, stuck, jumping = spoilt(truth, random)
    suspected, trusted = _watched(vae, crossing, history, told, truth, random)
    wrong = stuck | jumping

    def of_traffic(kind: BoolArray) -> float:
        off = np.abs(told - truth) * kind
        return 100 * float((off * suspected).sum() / off.sum())

    def nmae(answer: FloatArray) -> float:
        return 100 * float(np.abs(answer - truth)[wrong].sum() / truth[wrong].sum())

    figures = {
        "stuck: found, % of the traffic": of_traffic(stuck),
        "stuck: found, % of the cells": 100 * float(suspected[stuck].mean()),
        "jumping: found, % of the traffic": of_traffic(jumping),
        "jumping: found, % of the cells": 100 * float(suspected[jumping].mean()),
        "false alarms, %": 100 * float(suspected[~wrong].mean()),
        "NMAE of the corrupt cells, as told, %": nmae(told),
        "NMAE of the corrupt cells, filled, %": nmae(trusted),
    }
    return {"what": "corrupt counters", "figures": figures}


def spoilt(
    truth: FloatArray, random: np.random.Generator
) -> tuple[FloatArray, BoolArray, BoolArray]:
    """What the counters of `truth` (steps, pairs) tell, and which cells are stuck, or jump.

    A stuck counter shows no growth for some steps; a jumping one shows many times what was sent,
    once.
    """
    told = truth.copy()
    begins = random.random(truth.shape) < _A_STEP / truth.shape[1]
    stuck = np.zeros(truth.shape, dtype=bool)
    for step, pair in np.argwhere(begins):
        stuck[step : step + _STUCK_STEPS, pair] = True
    stuck &= truth > 0
    jumping = (random.random(truth.shape) < _A_STEP / truth.shape[1]) & ~stuck & (truth > 0)
    told[stuck] = 0.0
    told[jumping] *= np.exp(
        random.uniform(math.log(_JUMP[0]), math.log(_JUMP[1]), int(jumping.sum()))
    )
    return told, stuck, jumping


def _watched(
    vae: TelemetryVae,
    crossing: FloatArray,
    history: FloatArray,
    told: FloatArray,
    truth: FloatArray,
    random: np.random.Generator,
) -> tuple[BoolArray, FloatArray]:
    """Which cells are suspected, and the record with those filled."""
    link_bps = truth @ crossing.T
    link_bps *= 1 + LOAD_ERROR * random.standard_normal(link_bps.shape)
    trusted = np.vstack([history[-SPAN:], told])
    suspected = np.zeros(told.shape, dtype=bool)
    answer = told.copy()
    for step in range(len(told)):
        recent, now = trusted[step : step + SPAN], trusted[step + SPAN]
        suspected[step] = vae.suspects(now, recent, link_bps[step], crossing)
        now[suspected[step]] = np.nan
        answer[step] = vae.impute(now, recent, link_bps[step], crossing)
    return suspected, answer

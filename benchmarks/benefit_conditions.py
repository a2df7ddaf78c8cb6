"""Rare conditions in real traffic: what forecasters of `bench benefit` are judged by.

Peaks are as measured: the busiest tenth of the steps. Surges and hosts that are away are laid upon
measured traffic by processes of their own, not by those that the GAN's incidents were taught by
(`generators/incidents.py`), though both draw the same kind of thing: surges as in the built-in
history; a host that is away sends and receives nothing, and once it is back, part of what was held
up is made up for, as fast as there is room beside the usual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generators.builtin_history import lay_surge
from generators.history import History, HistoryError
from generators.history.structure import pair_mask
from generators.schedule import FloatArray

RARE = ("peaks", "surges", "failures")
PEAK_SHARE = 0.1
WARM_UP = 12
"""Steps of an episode that nothing is judged by: a forecaster at work gets to know the traffic."""

_JUDGED = 36  # steps of an episode after these
_CHANGED = 0.1  # of a rate: what an incident changes by less is not judged
_AWAY = (2, 6)  # steps
_MADE_UP_FOR = (0.2, 0.8)  # of what was held up
_ROOM = (0.2, 1.0)  # of the usual rate, beside it

BoolArray = npt.NDArray[np.bool_]
Incident = Callable[[FloatArray, int, np.random.Generator], None]
"""Changes matrices (steps, hosts, hosts) from a step on."""


@dataclass(frozen=True)
class Episode:
    """A stretch of traffic, and what of it is judged."""

    rates_bps: FloatArray
    """(steps, pairs)"""
    judged: BoolArray
    """(steps, pairs): none of the first `WARM_UP` steps."""


def episodes(history: History, seed: int) -> dict[str, list[Episode]]:
    """Return the episodes of every condition, `ordinary` for comparison; the same seed, the same.

    Raises:
        HistoryError: the history is too short for a single one.
    """
    if history.steps < WARM_UP + _JUDGED:
        raise HistoryError(f"forecasts are judged on {WARM_UP + _JUDGED} steps or more")
    totals = history.rates_bps.sum(axis=1)
    busy = totals >= np.quantile(totals, 1 - PEAK_SHARE)

    def surge(matrices_bps: FloatArray, first: int, random: np.random.Generator) -> None:
        steps_since = np.arange(len(matrices_bps)) - first + 1
        lay_surge(matrices_bps, steps_since * history.step_s / 3600, random)

    return {
        "ordinary": _as_measured(history, ~busy),
        "peaks": _as_measured(history, busy),
        "surges": list(_with_incidents(history, surge, np.random.default_rng(seed))),
        "failures": list(_with_incidents(history, host_away, np.random.default_rng(seed))),
    }


def host_away(matrices_bps: FloatArray, first: int, random: np.random.Generator) -> None:
    """Have one host away from the step `first` on for a while, in place, and then catch up."""
    host = int(random.integers(matrices_bps.shape[1]))
    end = first + int(random.integers(*_AWAY, endpoint=True))
    made_up_for, room = random.uniform(*_MADE_UP_FOR), random.uniform(*_ROOM)
    for rates_bps in (matrices_bps[:, host, :], matrices_bps[:, :, host]):
        backlog = made_up_for * rates_bps[first:end].sum(axis=0)
        rates_bps[first:end] = 0.0
        for rates in rates_bps[end:]:
            extra = np.minimum(backlog, room * rates)
            rates += extra
            backlog -= extra


def _as_measured(history: History, chosen: BoolArray) -> list[Episode]:
    """The episodes that hold chosen steps (steps,)."""
    rates_bps = history.rates_bps
    found = []
    for span in _spans(history.steps):
        judged = np.repeat(chosen[span, None], rates_bps.shape[1], axis=1)
        judged[:WARM_UP] = False
        if judged.any():
            found.append(Episode(rates_bps[span], judged))
    return found


def _with_incidents(
    history: History, incident: Incident, random: np.random.Generator
) -> Iterator[Episode]:
    pairs = pair_mask(len(history.hosts))
    for span in _spans(history.steps):
        matrices_bps = history.matrices_bps[span].astype(np.float64)
        usual_bps = matrices_bps[:, pairs]
        incident(matrices_bps, int(random.integers(WARM_UP, WARM_UP + _JUDGED // 2)), random)
        rates_bps = matrices_bps[:, pairs]
        judged = np.abs(rates_bps - usual_bps) > _CHANGED * usual_bps
        if judged.any():
            yield Episode(rates_bps, judged)


def _spans(steps: int) -> Iterator[slice]:
    """What is judged of the episodes follows without holes; what they begin with overlaps."""
    for first in range(0, steps - WARM_UP - _JUDGED + 1, _JUDGED):
        yield slice(first, first + WARM_UP + _JUDGED)

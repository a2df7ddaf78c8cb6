"""Telemetry that never reaches the twin: counters of pairs, or all that some switches count.

The controller and its journal have everything, so that a run can be judged by what the twin was not
told. Time is cut into stretches; in each of them others are silent.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec
import numpy as np

from controller.messages import FromController, GroupStats, MeterStats, OdStats, PortStats
from topologies.model import OdPair, Topology

Silent = Literal["counters", "switches"]
"""Flow counters of single OD pairs; or ports, pairs, groups and meters of whole switches."""


class TelemetryLoss(msgspec.Struct, frozen=True):
    """How much is lost, and of what."""

    share: float
    """Of all pairs, or of all switches, rounded to whole ones: 0 to 1."""
    silent: Silent
    stretch_s: float
    """How long the same ones are silent."""
    seed: int


class LossyFeed:
    """Takes from the controller's messages what is lost."""

    def __init__(self, topology: Topology, loss: TelemetryLoss) -> None:
        self._loss = loss
        self._subjects: list[OdPair] | list[str] = (
            list(topology.od_pairs)
            if loss.silent == "counters"
            else [switch.name for switch in topology.switches]
        )
        self._stretch = -1
        self._lost: frozenset[OdPair | str] = frozenset()

    def __call__(self, message: FromController) -> FromController | None:
        """What is left of `message`; None: nothing is."""
        match message:
            case OdStats() if self._loss.silent == "counters":
                lost = self._silent_at(message.t_s)
                kept = tuple(pair for pair in message.pairs if (pair.src, pair.dst) not in lost)
                return msgspec.structs.replace(message, pairs=kept)
            case PortStats() | OdStats() | GroupStats() | MeterStats():
                return None if message.datapath in self._silent_at(message.t_s) else message
            case _:
                return message

    def _silent_at(self, t_s: float) -> frozenset[OdPair | str]:
        stretch = math.floor(t_s / self._loss.stretch_s)
        if stretch != self._stretch:
            random = np.random.default_rng((self._loss.seed, stretch))
            order = random.permutation(len(self._subjects))
            silent = order[: round(self._loss.share * len(order))]
            self._stretch, self._lost = stretch, frozenset(self._subjects[i] for i in silent)
        return self._lost

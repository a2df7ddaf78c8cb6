"""Meters: how a switch holds packets to a rate (OpenFlow 1.3, section 5.7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Meter:
    """One meter of one switch: it drops what comes beyond the rate and the burst."""

    switch: str
    meter_id: int
    rate_kbps: int
    burst_kbit: int
    foreign: bool = False
    """As a switch describes it: it does something else, too."""

    @property
    def key(self) -> tuple[str, int]:
        """Two meters with one key replace one another."""
        return self.switch, self.meter_id


@dataclass(frozen=True)
class MeterChange:
    """A meter made, or changed (`modify`): the entries that point to it keep doing so."""

    meter: Meter
    modify: bool = False


def missing(wanted: Iterable[Meter], installed: Iterable[Meter]) -> list[MeterChange]:
    """What gives switches the meters that are wanted."""
    there = {meter.key: meter for meter in installed}
    return [
        MeterChange(meter, modify=meter.key in there)
        for meter in wanted
        if there.get(meter.key) != meter
    ]

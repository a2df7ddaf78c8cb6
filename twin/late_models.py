"""Models that load beside the twin's work, which is naive until they are there.

Importing torch takes more than a second of processor time. A twin that is started again cannot wait
for it: the network is mirrored, and decided for, before.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from twin.band import Band
from twin.forecaster import Forecaster, PersistenceForecaster
from twin.imputation import Imputer, Persistence
from twin.indexing import BoolArray, FloatArray


class LateModels:
    """A `Forecaster` and an `Imputer`: persistence, and what `load` returns once it has."""

    def __init__(self, load: Callable[[], tuple[Forecaster, Imputer]], pairs: int) -> None:
        """Begin to load, in a thread; `pairs` is how many OD pairs there are."""
        self._naive: tuple[Forecaster, Imputer] = PersistenceForecaster(), Persistence(pairs)
        self._loading = ThreadPoolExecutor(1, "models").submit(load)

    @property
    def loaded(self) -> bool:
        """Whether they are there."""
        return self._loading.done() and self._loading.exception() is None

    def raise_failure(self) -> None:
        """Raise what `load` has raised, if it has."""
        if self._loading.done():
            self._loading.result()

    def _now(self) -> tuple[Forecaster, Imputer]:
        return self._loading.result() if self._loading.done() else self._naive

    @property
    def benign_share(self) -> float | None:
        """As `Forecaster.benign_share`."""
        return self._now()[0].benign_share

    def forecast(self, history_bps: FloatArray) -> FloatArray:
        """As `Forecaster.forecast`."""
        return self._now()[0].forecast(history_bps)

    def band(self, history_bps: FloatArray) -> Band:
        """As `Forecaster.band`."""
        return self._now()[0].band(history_bps)

    def impute(
        self, rates_bps: FloatArray, recent: FloatArray, link_bps: FloatArray, crossing: FloatArray
    ) -> FloatArray:
        """As `Imputer.impute`."""
        return self._now()[1].impute(rates_bps, recent, link_bps, crossing)

    def suspects(
        self, rates_bps: FloatArray, recent: FloatArray, link_bps: FloatArray, crossing: FloatArray
    ) -> BoolArray:
        """As `Imputer.suspects`."""
        return self._now()[1].suspects(rates_bps, recent, link_bps, crossing)

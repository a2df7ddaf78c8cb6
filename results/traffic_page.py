"""One page that shows real beside generated traffic: course, distributions, memory, structure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import numpy as np
from markupsafe import Markup

from generators.fidelity import autocorrelation, fidelity, log_rates, spectrum
from generators.history import History
from generators.history.structure import WEEK_S
from generators.schedule import FloatArray
from results.charts import Series, line_chart
from results.pictures import Chart
from results.report import render

_DRAWN_STEPS = 600
"""Points of a line, at most."""
_BINS = 60
_ACF_HOURS = 12.0
_PAIRS = 3


def traffic_page(title: str, real: History, made: History) -> str:
    """Return the HTML page that compares a made history with a real one, both without gaps."""
    distances = asdict(fidelity(made.rates_bps, real.rates_bps, real.step_s))
    return render(
        "traffic.html.j2",
        title=title,
        real=real,
        made=made,
        distances=[(name.replace("_", " "), f"{value:.3g}") for name, value in distances.items()],
        charts=[chart for chart in _charts(real, made) if chart.drawing],
    )


def _charts(real: History, made: History) -> Iterator[Chart]:
    matching = _same_time(real, made)
    yield _course("Total traffic, at the same time of the week", matching, made, slice(None))
    largest = np.argsort(-real.rates_bps.mean(axis=0))[:_PAIRS]
    for pair in largest:
        source, target = _pair_name(real, int(pair))
        yield _course(f"{source} to {target}", matching, made, slice(int(pair), int(pair) + 1))
    logs = [np.log10(1 + one.rates_bps.ravel() / 1e3) for one in (real, made)]
    yield _distribution("Rates of all pairs, by log10 of kbit/s", *logs)
    totals_bps = [one.rates_bps.sum(axis=1) for one in (real, made)]
    mean_bps = max(float(totals_bps[0].mean()), 1.0)
    yield _distribution("Total traffic, over the real mean", *(t / mean_bps for t in totals_bps))
    lags = max(1, round(_ACF_HOURS * 3600 / real.step_s))
    lags = min(lags, real.steps - 1, made.steps - 1)
    memory = [autocorrelation(log_rates(one.rates_bps), lags).mean(axis=1) for one in (real, made)]
    yield _chart("Autocorrelation, mean over pairs", memory, real.step_s / 3600, "", "h")
    shares = [spectrum(log_rates(one.rates_bps)) for one in (real, made)]
    yield _chart("Share of variance in the first components", shares, 1.0, "", "")


def _same_time(real: History, made: History) -> History:
    """The stretch of the real history at the time of the week at which the made one is."""
    first = round(((made.start_s - real.start_s) % WEEK_S) / real.step_s)
    if first + made.steps > real.steps:
        first = max(0, min(first, real.steps - made.steps))
    return real.part(first, min(real.steps, first + made.steps))


def _course(title: str, real: History, made: History, pairs: slice) -> Chart:
    series = [one.rates_bps[:, pairs].sum(axis=1) / 1e6 for one in (real, made)]
    block = max(1, -(-max(map(len, series)) // _DRAWN_STEPS))
    thinned = [_means(values, block) for values in series]
    return _chart(title, thinned, block * real.step_s / 3600, "Mbit/s", "h")


def _means(values: FloatArray, block: int) -> FloatArray:
    return np.array([part.mean() for part in np.array_split(values, max(1, len(values) // block))])


def _distribution(title: str, real: FloatArray, made: FloatArray) -> Chart:
    """How often values occur."""
    top = max(float(real.max()), float(made.max())) or 1.0
    edges = np.linspace(0.0, top, _BINS + 1)
    shares = [100 * np.histogram(values, edges)[0] / len(values) for values in (real, made)]
    return _chart(title, shares, top / _BINS, "%", "")


def _chart(title: str, series: list[FloatArray], step: float, unit: str, x_unit: str) -> Chart:
    real, made = (values.tolist() for values in series)
    legend = [Series("real", real, "b"), Series("generated", made, "a")]
    return Chart(title, legend, Markup(line_chart(legend, step, unit, x_unit=x_unit)))


def _pair_name(history: History, pair: int) -> tuple[str, str]:
    names = [(s, t) for s in history.hosts for t in history.hosts if s != t]
    return names[pair]

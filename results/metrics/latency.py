"""One-way delay of workload packets (iperf2 `--trip-times` histograms) and of probe packets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from generators.records import Received
from results.timeline import FloatArray, Window
from testbed.records import ProbeStream


@dataclass(frozen=True)
class DelayHistogram:
    """Packets by one-way delay: `counts[i]` had a delay in [lower_ms[i], upper_ms[i])."""

    lower_ms: FloatArray
    upper_ms: FloatArray
    counts: FloatArray

    def quantile_ms(self, share: float) -> float:
        """Return the delay below which `share` of the packets lie, linear inside a bin."""
        reached = self.counts.cumsum()
        wanted = share * reached[-1]
        bin_ = int(np.searchsorted(reached, wanted))
        inside = (wanted - (reached[bin_] - self.counts[bin_])) / self.counts[bin_]
        width_ms = self.upper_ms[bin_] - self.lower_ms[bin_]
        return float(self.lower_ms[bin_] + inside * width_ms)


def merge_histograms(received: Iterable[Received]) -> DelayHistogram | None:
    """Add up the histograms of many intervals and clients; None if they hold no packet."""
    counts: dict[tuple[float, float], int] = {}
    for record in received:
        width = record.latency_bin_ms
        for index, packets in record.latency_counts:
            if packets > 0:
                edges = (index * width, (index + 1) * width)
                counts[edges] = counts.get(edges, 0) + packets
    if not counts:
        return None
    lower, upper = np.array(sorted(counts)).T
    packets_by_bin = [counts[edges] for edges in sorted(counts)]
    return DelayHistogram(lower, upper, np.array(packets_by_bin, dtype=np.float64))


def workload_latency_ms(workload: Iterable[Received], window: Window) -> dict[str, float] | None:
    """Return mean, p50, p95, p99 over the packets of the intervals centred in `window`."""
    records = [r for r in workload if r.packets > 0 and window.holds((r.start_s + r.end_s) / 2)]
    histogram = merge_histograms(records)
    if histogram is None:
        return None
    packets = sum(record.packets for record in records)
    mean = sum(record.latency_mean_ms * record.packets for record in records) / packets
    return {
        "mean": mean,
        "p50": histogram.quantile_ms(0.50),
        "p95": histogram.quantile_ms(0.95),
        "p99": histogram.quantile_ms(0.99),
    }


def probe_latency_ms(probes: Iterable[ProbeStream], window: Window) -> dict[str, float] | None:
    """Return mean, p50, p95, p99 of the probes' one-way delays, both ways, sent in `window`."""
    delays = [
        delay
        for stream in probes
        if stream.purpose == "latency"
        for way in (stream.forward_ms, stream.backward_ms)
        for sent_s, delay in zip(stream.sent_s, way, strict=True)
        if delay is not None and window.holds(sent_s)
    ]
    if not delays:
        return None
    p50, p95, p99 = np.percentile(delays, [50, 95, 99])
    return {
        "mean": float(np.mean(delays)),
        "p50": float(p50),
        "p95": float(p95),
        "p99": float(p99),
    }


def latency_over_time_ms(
    workload: Sequence[Received], window: Window, step_s: float
) -> dict[str, list[float | None]]:
    """Return p50 and p95 of every step of `window`; None where no packet arrived."""
    steps: list[list[Received]] = [[] for _ in window.edges(step_s)[1:]]
    for record in workload:
        step = int(((record.start_s + record.end_s) / 2 - window.start_s) // step_s)
        if 0 <= step < len(steps):
            steps[step].append(record)
    merged = [merge_histograms(records) for records in steps]
    return {
        name: [None if histogram is None else histogram.quantile_ms(share) for histogram in merged]
        for name, share in (("p50", 0.50), ("p95", 0.95))
    }

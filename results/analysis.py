"""From a run directory to its summary: every metric that its records allow, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from generators.fidelity import Fidelity
from results.fault_events import FAULT_KINDS
from results.fidelity_details import fidelity_document
from results.foreseen_details import foreseen_document
from results.metrics import (
    delivery,
    foresight,
    lab,
    latency,
    learning,
    load,
    outage,
    policy,
    prediction,
    replay,
    security,
    wire,
)
from results.metrics import utilisation as bandwidth
from results.recording import Recording, load_recording
from results.run_directory import RunDirectory
from results.summary import Summary, plain
from results.timeline import (
    TIMELINE_EVENTS,
    FloatArray,
    Flood,
    Window,
    failures,
    floods,
    subject,
    surviving_spans,
    traffic_start_s,
)
from results.validity import judge
from topologies.model import Topology
from twin.records import Alarm

STEP_S = 1.0
"""Resolution of everything that is shown over time."""

SETTLING_S = 2.0
"""How the network runs after a failure is judged from so long after it."""


def analyse(run_dir: RunDirectory) -> Summary:
    """Analyse a run, complete or cut off, and write its `summary.json`.

    Raises:
        NotARunError: the directory holds no run.
    """
    summary = summarise(load_recording(run_dir))
    run_dir.write_summary(msgspec.to_builtins(summary))
    return summary


def summarise(recording: Recording) -> Summary:
    """Compute every metric that the records allow."""
    manifest, verdict = recording.manifest, judge(recording)
    metrics: dict[str, Any] = {}
    details: dict[str, Any] = {"notes": list(recording.notes)}
    if recording.window is not None:
        for part in (_traffic, _wire, _links, _recovery, _prediction, _learning, _attacks, _policy):
            found = part(recording, recording.window)
            details["notes"] += found.pop("notes", [])
            details |= found.pop("details", {})
            metrics |= found
        details["cpu_percent"] = lab.cpu_percent(
            recording.twin, recording.fidelity, recording.window
        )
        details["events"] = _events(recording, recording.window)
        details["measured_s"] = recording.window.duration_s
    details["fidelity"] = fidelity_document(recording, verdict)
    details["lab_s"] = lab.lab_times_s(recording.events)
    return Summary(
        run=manifest.run,
        playbook=manifest.playbook,
        policy=manifest.policy,
        protection=manifest.protection,
        seed=manifest.seed,
        verdict=verdict.level,
        valid=verdict.level != "invalid",
        reasons=verdict.reasons,
        warnings=verdict.warnings,
        metrics=plain({name: value for name, value in metrics.items() if value is not None}),
        details=plain(details),
    )


def _traffic(recording: Recording, window: Window) -> dict[str, Any]:
    workload, datagrams = recording.workload, recording.datagrams
    balance = delivery.packet_balance(recording.segments, datagrams, window)
    notes = []
    if balance is not None and balance.estimated_clients:
        notes.append(
            f"{balance.estimated_clients} of {balance.clients} iperf clients left no count of what "
            "they sent: their requested rate x time was taken instead"
        )
    edges_s = window.edges(STEP_S)
    series: dict[str, Any] = {
        "latency_ms": latency.latency_over_time_ms(datagrams, window, STEP_S),
        "goodput_mbps": delivery.rates_over_time_bps(workload, edges_s) / 1e6,
    }
    found = {
        "packets_lost": balance and balance.lost,
        "latency_ms": latency.workload_latency_ms(datagrams, window),
        "probe_latency_ms": latency.probe_latency_ms(recording.probes, window),
        "error_rate_percent": balance and balance.error_rate_percent,
        "probe_loss_percent": delivery.probe_loss_percent(recording.probes, window),
        "goodput_mbps": delivery.goodput_mbps(workload, window),
        "tcp_delivered_percent": delivery.tcp_delivered_percent(
            recording.segments, workload, window
        ),
        "notes": notes,
        "details": {
            "series": series,
            "packets": balance and {"sent": balance.sent, "received": balance.received},
            "sent_percent": replay.sent_percent(recording.segments, window),
        },
    }
    schedule = recording.schedule
    start_s = traffic_start_s(recording.events)
    if schedule is None or start_s is None:
        return found
    deliverable = bandwidth.deliverable_bits(
        recording.topology, schedule, start_s, recording.events, window
    )
    requested_bps = replay.requested_over_time_bps(schedule, start_s, edges_s)
    series["requested_mbps"] = requested_bps / 1e6
    return found | {
        "utilisation_percent": bandwidth.utilisation_percent(workload, deliverable, window),
        "replay_wape_percent": replay.replay_wape_percent(schedule, start_s, workload, window),
    }


def _wire(recording: Recording, window: Window) -> dict[str, Any]:
    schedule, start_s = recording.schedule, traffic_start_s(recording.events)
    if schedule is None or start_s is None:
        return {}
    seen = wire.on_the_wire(recording.telemetry, schedule, start_s, window)
    if seen is None:
        return {}
    first_s = start_s + seen.first_step * schedule.interval_s - window.start_s
    return {
        "replay_port_wape_percent": seen.port_wape_percent,
        "wire_scores": _scores(seen.fidelity),
        "details": {
            "replay": {
                "hosts": schedule.hosts,
                "start_s": first_s + schedule.interval_s * np.arange(len(seen.delivered_bps)),
                "requested_mbps": seen.requested_bps.sum(axis=1) / 1e6,
                "delivered_mbps": seen.delivered_bps / 1e6,
            }
        },
    }


def _scores(fidelity: Fidelity | None) -> dict[str, float] | None:
    """Those that can be told: one pair correlates with nothing."""
    if fidelity is None:
        return None
    return {name: value for name, value in vars(fidelity).items() if np.isfinite(value)}


def _links(recording: Recording, window: Window) -> dict[str, Any]:
    topology, telemetry = recording.topology, recording.telemetry
    loads = load.link_loads(telemetry, topology, window, STEP_S)
    te = load.te_ratios(telemetry, topology, recording.events, window, STEP_S, recording.segments)
    details: dict[str, Any] = {}
    if te is not None:
        details["te_ratio_over_time"] = te.ratios
        faults = failures(recording.events, recording.topology, window)
        settled = [Window(fault.at_s + SETTLING_S, fault.until_s) for fault in faults]
        details["te_ratio_after_failure"] = _mean_p95(
            [r for one in settled for r in te.within(one)]
        )
    if loads is not None:
        details["mlu_over_time"] = loads.max_over_time
        details["links"] = _link_documents(topology, loads.utilisation)
        details["links_by_span"] = [
            {
                "start_s": span.start_s - window.start_s,
                "end_s": span.end_s - window.start_s,
                "down": sorted(down & set(topology.core_directions)),
                "links": _link_documents(topology, loads.within(span)),
            }
            for span, down in surviving_spans(recording.events, topology, window)
            if len(loads.within(span))
        ]
    return {
        "te_ratio": te and _mean_p95(te.within(window)),
        "max_link_utilisation": loads and _mean_p95(loads.max_over_time),
        "details": details,
    }


def _link_documents(topology: Topology, utilisation: FloatArray) -> list[dict[str, Any]]:
    mean, p95 = utilisation.mean(axis=0), np.percentile(utilisation, 95, axis=0)
    return [
        {"from": a, "to": b, "mean": mean[index], "p95": p95[index]}
        for index, (a, b) in enumerate(topology.core_directions)
    ]


def _recovery(recording: Recording, window: Window) -> dict[str, Any]:
    faults = failures(recording.events, recording.topology, window)
    found = outage.outages(recording.probes, recording.telemetry, faults)
    parts = outage.outage_parts_ms(found)
    reroutes = (outage.first_reroute_ms(recording.telemetry, fault) for fault in faults)
    rerouted = _mean([ms for ms in reroutes if ms is not None])
    if rerouted is not None:
        parts["rerouted"] = rerouted
    return {
        "outage_ms": outage.outage_ms(found),
        "details": {
            "recovery_ms": parts,
            "outage_ms_by_kind": {
                kind: outage.outage_ms([one for one in found if one.failure.kind == kind])
                for kind in FAULT_KINDS
                if any(one.failure.kind == kind for one in found)
            },
            "outages": [
                {**outage.outage_document(one), "at_s": one.failure.at_s - window.start_s}
                for one in found
            ],
        },
    }


def _prediction(recording: Recording, window: Window) -> dict[str, Any]:
    twin = recording.twin
    forecast = prediction.forecast_accuracy(twin, window)
    compared = prediction.delay_comparisons(twin, recording.probes, recording.topology, window)
    delays = prediction.delay_accuracy(compared)
    decisions = prediction.decision_documents(twin, window.end_s)
    by_horizon = [
        prediction.forecast_accuracy(twin, window, horizon) for horizon in prediction.horizons(twin)
    ]
    return {
        "predictive_accuracy_percent": forecast and forecast.accuracy_percent,
        "persistence_accuracy_percent": forecast and forecast.persistence_accuracy_percent,
        "predictive_skill": forecast and forecast.skill,
        "twin_latency_mape_percent": delays and delays.mape_percent,
        "staleness_ms": prediction.staleness_ms(twin, window),
        "reroute_mlu_mape_percent": prediction.reroute_mape_percent(decisions),
        "details": {
            "forecast": [_forecast(one) for one in by_horizon if one is not None],
            "twin_delay": delays and {"bias_ms": delays.bias_ms, "comparisons": delays.comparisons},
            "decisions": [{**one, "t_s": one["t_s"] - window.start_s} for one in decisions],
            "imputation_nmae": prediction.imputation_nmae(twin),
            "foreseen": foreseen_document(recording, window, compared, STEP_S),
            "staleness_ms_over_time": foresight.staleness_over_time_ms(twin, window, STEP_S),
        },
    }


def _learning(recording: Recording, window: Window) -> dict[str, Any]:
    twin, topology = recording.twin, recording.topology
    errors = learning.error_over_time_percent(twin, window, STEP_S)
    changed = learning.capacities(twin, recording.events, topology, window, STEP_S)
    named = {switch.name: switch.label for switch in topology.switches}
    return {
        "model_error_percent": learning.model_error_percent(errors),
        "notes": learning.drift_sentences(twin, named, window),
        "details": {
            "model_error_over_time": errors,
            "capacities": [
                {
                    "from": one.link[0],
                    "to": one.link[1],
                    "believed_mbps": one.believed_bps / 1e6,
                    "real_mbps": one.real_bps / 1e6,
                }
                for one in changed
            ],
        },
    }


def _forecast(one: prediction.ForecastAccuracy) -> dict[str, Any]:
    link_wape, coverage = one.link_wape, one.od_coverage
    return {
        "horizon": one.horizon,
        "forecasts": one.forecasts,
        "od_accuracy_percent": one.accuracy_percent,
        "persistence_accuracy_percent": one.persistence_accuracy_percent,
        "mean_accuracy_percent": 100.0 * (1.0 - one.od_mean_wape),
        "skill": one.skill,
        "link_accuracy_percent": None if link_wape is None else 100.0 * (1.0 - link_wape),
        "coverage_percent": None if coverage is None else 100.0 * coverage,
    }


def _attacks(recording: Recording, window: Window) -> dict[str, Any]:
    attacks = floods(recording.events, window.end_s)
    alarms = security.false_alarms(recording.twin, attacks, window)
    each = [_attack(recording, flood, window) for flood in attacks]
    found: dict[str, Any] = {
        name: _mean([one[name] for one in each if one[name] is not None])
        for name in (
            "detection_s",
            "mitigation_s",
            "goodput_restored_s",
            "goodput_restored_percent",
        )
    }
    if alarms is not None:
        found["false_alarms"] = alarms.count
    if alarms is not None and attacks:
        found["floods_undetected"] = sum(one["detection_s"] is None for one in each)
    return found | {
        "details": {
            "floods": each,
            "alarms": [
                _alarm(alarm, window) for alarm in recording.twin if isinstance(alarm, Alarm)
            ],
            "false_alarms_per_hour": alarms and alarms.per_hour,
            "attack_mbps_over_time": _attack_rates_mbps(recording, window) if attacks else None,
        }
    }


def _attack(recording: Recording, flood: Flood, window: Window) -> dict[str, Any]:
    schedule = recording.schedule
    start_s = traffic_start_s(recording.events)
    restored = None
    if schedule is not None and start_s is not None:
        edges_s = security.delivery_edges(window)
        asked_bps = replay.requested_over_time_bps(schedule, start_s, edges_s)
        restored = security.restoration(recording.workload, asked_bps, edges_s, flood)
    return {
        "victim": flood.victim,
        "sources": list(flood.sources),
        "start_s": flood.start_s - window.start_s,
        "end_s": flood.end_s - window.start_s,
        "detection_s": security.detection_s(recording.twin, flood),
        "mitigation_s": security.mitigation_s(recording.received, flood),
        "goodput_restored_s": restored and restored.restored_s,
        "goodput_restored_percent": restored and restored.restored_percent,
    }


def _alarm(alarm: Alarm, window: Window) -> dict[str, Any]:
    return {
        "t_s": alarm.t_s - window.start_s,
        "victim": alarm.victim,
        "sources": alarm.sources,
        "score": alarm.score,
        "explanation": alarm.explanation,
    }


def _attack_rates_mbps(recording: Recording, window: Window) -> Any:
    attack = [record for record in recording.received if record.attack]
    return delivery.rates_over_time_bps(attack, window.edges(STEP_S)) / 1e6


def _policy(recording: Recording, window: Window) -> dict[str, Any]:
    found = policy.problems(recording.twin, window)
    return {"policy_problems": found.times, "notes": list(found.sentences)}


def _events(recording: Recording, window: Window) -> list[Mapping[str, Any]]:
    return [
        {"t_s": event.t_s - window.start_s, "event": event.event, "detail": subject(event)}
        for event in recording.events
        if event.event in TIMELINE_EVENTS and window.holds(event.t_s)
    ]


def _mean_p95(values: Any) -> dict[str, float] | None:
    if not len(values):
        return None
    return {"mean": float(np.mean(values)), "p95": float(np.percentile(values, 95))}


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None

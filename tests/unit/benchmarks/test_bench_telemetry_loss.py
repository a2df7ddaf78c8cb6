"""The benchmark of lost telemetry: its document, and what its labs are judged by."""

from __future__ import annotations

import argparse

import msgspec
import pytest

from benchmarks import telemetry_loss, telemetry_loss_lab
from benchmarks.parts import Part, carry_out, joined
from benchmarks.report import Report, this_machine
from benchmarks.telemetry_loss_lab import WHOLE, Figures, name_of
from cli.bench import document
from generators.builtin_history import builtin_history
from testbed.reference.errors import MeasurementError
from topologies.catalogue import load_topology


def test_what_it_finds_is_a_document(monkeypatch: pytest.MonkeyPatch) -> None:
    history = builtin_history(load_topology("triangle"), seed=1, days=2)
    monkeypatch.setattr(telemetry_loss.traffic_history, "whole", lambda _: history)
    monkeypatch.setattr(telemetry_loss, "_BUDGET_S", 0.0)
    parser = argparse.ArgumentParser()
    telemetry_loss.add_arguments(parser)
    report = telemetry_loss.run(parser.parse_args(["triangle", "--matrices", "2"]), lambda *_: None)
    whole = msgspec.json.decode(msgspec.json.encode(document(report)))
    assert {row["what"] for row in whole["rows"]} >= {"nothing lost"}
    assert len(whole["targets"]) == 4


def test_labs_are_judged_by_the_last_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(playbook: dict[str, dict[str, object]], *_: object) -> Figures:
        telemetry = playbook["telemetry"]
        if not telemetry["lost_percent"]:
            return Figures(1.02, 4.0, 0.1, 100, 5, "valid")
        if telemetry["silent"] == "switches" and telemetry["filled_by"] == "last-value":
            raise MeasurementError("the machine could not carry it")
        off = 5.0 if telemetry["filled_by"] == "vae" else 9.0
        return Figures(1.1, off, 0.1, 100, 5, "valid")

    monkeypatch.setattr(telemetry_loss_lab, "_run", run)
    parts: list[Part] = list(telemetry_loss_lab.parts("triangle", None, 0, 0.3))
    report = carry_out("telemetry-loss", this_machine(), parts, lambda *_: None)
    met = {target.name: target.met for target in report.targets}
    assert met == {
        f"TE ratio, {name_of('counters', 'vae')}": True,
        f"twin's delay error, {name_of('counters', 'vae')}": True,
        f"TE ratio, {name_of('switches', 'vae')}": False,
        f"twin's delay error, {name_of('switches', 'vae')}": False,
    }
    assert report.rows[0]["what"] == WHOLE
    empty = Report("telemetry-loss", this_machine(), [], [])
    assert joined(empty, report).targets == report.targets

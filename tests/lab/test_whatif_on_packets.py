"""What the twin answers, carried out on packets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main

SMALL = Path(__file__).with_name("small.yaml")


def test_the_answer_is_measured_in_a_lab_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["whatif", str(SMALL), "--fail", "s1-s2", "--on-packets", "--json"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    answer = json.loads(capsys.readouterr().out)
    figures = answer["on_packets"]["figures"]
    for name in ("busiest link (%)", "delay, mean (ms)"):
        predicted, measured = figures[name]
        assert measured == pytest.approx(predicted, rel=0.5), name  # figures are benchmarks' matter
    assert figures["lost (%)"][1] is not None
    (run_dir,) = tmp_path.iterdir()
    assert (run_dir / "report.html").exists()

"""One playbook under both policies for several seeds: before, after, and their ratio, seed by seed.

    .venv/bin/python -m benchmarks.seeds high-load 1 2 3 4 5

Takes about 100 s a seed; nothing else should run beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from typing import Any

from results.comparison import metric_value

METRICS = ("latency_ms.p95", "error_rate_percent", "goodput_mbps", "outage_ms.p50", "mitigation_s")


def run(playbook: str, policy: str, seed: str, out: str) -> dict[str, Any]:
    """What `twinbed run --json` says."""
    command = ["cli", "run", playbook, "--policy", policy, "--seed", seed, "--out", out, "--json"]
    done = subprocess.run([sys.executable, "-m", *command], stdout=subprocess.PIPE, check=False)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def main() -> None:
    """Run them all, printing a line for every seed and metric."""
    playbook, *seeds = sys.argv[1:] or ["high-load", "1"]
    with tempfile.TemporaryDirectory(prefix="twinbed-seeds-") as out:
        for seed in seeds:
            before, after = (run(playbook, one, seed, out) for one in ("shortest-path", "twin"))
            for side in (before, after):
                for reason in side["reasons"]:
                    print(f"seed {seed}, {side['policy']}: NOT VALID: {reason}", flush=True)
            for metric in METRICS:
                pair = [metric_value(side["metrics"], metric) for side in (before, after)]
                if pair[0] is not None and pair[1] is not None:
                    ratio = pair[1] / pair[0] if pair[0] else float("nan")
                    print(
                        f"seed {seed}: {metric:20} {pair[0]:8.3g} -> {pair[1]:8.3g}  x {ratio:.2f}",
                        flush=True,
                    )
                elif pair[1] is not None:
                    print(f"seed {seed}: {metric:20}        - -> {pair[1]:8.3g}", flush=True)


if __name__ == "__main__":
    main()

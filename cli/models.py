"""List the trained models: those in the store, and those that runs have trained for themselves.

With what they learnt from (and the beginning of its hash), seed, scores and cost. Distances of GANs
are to that history; a private one has those of the fit without privacy below.

example:
  twinbed models --json
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from rich.markup import escape
from rich.table import Table

from cli.errors import UserError
from cli.output import messages, print_json, results
from generators.model_store import ModelStore, ModelStoreError, Record
from generators.training import run_models

_SHOWN: Mapping[str, str] = {
    "jsd": "JSD",
    "emd": "EMD",
    "acf_error": "ACF",
    "nmae": "NMAE",
    "wape": "WAPE",
    "wape_of_persistence": "of persistence",
    "first_reward": "reward",
    "last_reward": "to",
}
"""Scores, in this order; the rest stands in the record."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(arguments: argparse.Namespace) -> int:
    """Print the records."""
    store = ModelStore()
    try:
        records, of_runs = store.records(), run_models().records()
    except ModelStoreError as error:
        raise UserError(str(error)) from error
    if arguments.json:
        print_json({"folder": str(store.folder), "models": records, "of_runs": of_runs})
        return 0
    if not records and not of_runs:
        messages.print("no models yet: train one with `twinbed train gan`")
        return 0
    table = Table("model", "trained", "history", box=None, pad_edge=False)
    for heading in ("seed", "scores", "epsilon", "s", "MB"):
        table.add_column(heading, justify="left" if heading == "scores" else "right")
    for one in records:
        for row in _rows(f"{one.name}@{one.version}", one):
            table.add_row(*row)
    for one in of_runs:
        for row in _rows(f"{one.kind} (of runs)", one):
            table.add_row(*row)
    results.print(table)
    return 0


def _rows(name: str, one: Record) -> Iterator[tuple[str, ...]]:
    source = one.history.rpartition("/")[2] or one.topology or ""
    yield (
        escape(name),
        one.trained_at[:16],
        escape(f"{source} {one.history_sha256[:8]}".strip()),
        "secret" if one.seed is None else str(one.seed),
        _words(one.scores),
        "-" if one.dp_epsilon is None else f"{one.dp_epsilon:.3g}",
        f"{one.seconds:.0f}",
        f"{one.peak_memory_mb:.0f}",
    )
    if one.without_privacy is not None:
        yield "", "", "", "", f"{_words(one.without_privacy)} without privacy", "", "", ""


def _words(scores: Mapping[str, float]) -> str:
    return " ".join(f"{_SHOWN[name]} {scores[name]:.3f}" for name in _SHOWN if name in scores)

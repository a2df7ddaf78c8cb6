"""List the models in the store, with what they were trained on, how well, and at which cost.

example:
  twinbed models --json
"""

from __future__ import annotations

import argparse

from rich.markup import escape
from rich.table import Table

from cli.errors import UserError
from cli.output import messages, print_json, results
from generators.model_store import ModelStore, ModelStoreError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("--json", action="store_true", help="one JSON document on standard output")


def run(arguments: argparse.Namespace) -> int:
    """Print the records."""
    store = ModelStore()
    try:
        records = store.records()
    except ModelStoreError as error:
        raise UserError(str(error)) from error
    if arguments.json:
        print_json({"folder": str(store.folder), "models": records})
        return 0
    if not records:
        messages.print("no models yet: train one with `twinbed train gan`")
        return 0
    table = Table("model", box=None, pad_edge=False)
    for heading in ("trained", "history", "seed", "JSD", "EMD", "ACF", "epsilon", "s", "MB"):
        table.add_column(heading, justify="left" if heading in ("trained", "history") else "right")
    for one in records:
        scores = (one.scores.get(name) for name in ("jsd", "emd", "acf_error"))
        table.add_row(
            escape(f"{one.name}@{one.version}"),
            one.trained_at[:16],
            escape(f"{one.history.rpartition('/')[2]} {one.history_sha256[:8]}"),
            str(one.seed),
            *("-" if score is None else f"{score:.3f}" for score in scores),
            "-" if one.dp_epsilon is None else f"{one.dp_epsilon:.3g}",
            f"{one.seconds:.0f}",
            f"{one.peak_memory_mb:.0f}",
        )
    results.print(table)
    return 0

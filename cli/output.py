"""Where output goes: results on standard output, everything else on standard error."""

from __future__ import annotations

import sys
from typing import Any

import msgspec
from rich.console import Console

messages = Console(stderr=True, markup=False, emoji=False)
"""Progress, notes, warnings: what they name (files, labels) may hold brackets, which stay."""

results = Console()
"""What the command was asked for, when it is for people."""


def print_json(document: Any) -> None:
    """What the command was asked for, when it is for programs: one JSON document.

    Mappings, sequences, dataclasses and msgspec structs are written; NaN and infinity as null.
    """
    encoded = msgspec.json.format(msgspec.json.encode(document), indent=2)
    sys.stdout.write(encoded.decode() + "\n")
    sys.stdout.flush()

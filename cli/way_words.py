"""The way of a pair as a table shows it."""

from __future__ import annotations

from topologies.model import Split, Way


def in_words(way: Way) -> str:
    """A path; or all paths of a split, one a line, with their weights."""
    if not isinstance(way, Split):
        return " ".join(way)
    return "\n".join(f"{' '.join(path)} (weight {weight})" for path, weight in way.branches)

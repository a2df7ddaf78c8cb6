"""What went wrong in the policy itself, which the twin kept from the network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from results.timeline import Window
from twin.records import PolicyProblem, TwinRecord

_SAYS = {
    "raised": "the policy raised",
    "hung": "the policy hung:",
    "nonsense": "the policy asked for nonsense:",
}


@dataclass(frozen=True)
class Problems:
    """How often, and what, in words."""

    times: int
    sentences: tuple[str, ...]


def problems(records: Iterable[TwinRecord], window: Window) -> Problems:
    """Count the problems of the whole run; each kind of detail is told once."""
    found: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for record in records:
        if isinstance(record, PolicyProblem):
            found[record.kind, record.detail].append(record.t_s)
    sentences = tuple(
        f"{_SAYS[kind]} {detail}. The network was left as it was ({len(times_s)} x, first "
        f"{times_s[0] - window.start_s:.1f} s after measuring began)"
        for (kind, detail), times_s in found.items()
    )
    return Problems(sum(map(len, found.values())), sentences)

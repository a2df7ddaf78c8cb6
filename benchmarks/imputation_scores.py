"""What the VAE and plain methods reach on the same hidden cells, and what it must reach.

Three comparisons. The VAE with loads of links against plain methods, which know of none: what the
twin gains. The VAE without loads against the same: what the network by itself is worth. The VAE
with loads against every plain method moved to agree with the loads: what it adds to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.imputation_gaps import Gaps
from testbed.reference.targets import Target, at_most, between

_BLOCK_GOAL = 0.75
"""Of the error of the best plain method."""
_COVERAGE = (80.0, 98.0)


@dataclass
class Score:
    """NMAE of every method on the same hidden cells, in percent."""

    gaps: Gaps
    live: bool
    loads: str
    """Which loads of links the VAE knows: none if empty."""
    vae: float
    coverage: float
    """Of the hidden rates, held by the VAE's 90 % interval."""
    plain: Mapping[str, float]
    """Methods that know as much of the future as the VAE does, and no loads."""
    linear: float
    """Linear interpolation knows the future."""
    moved: Mapping[str, float]
    """The same methods, their answers moved to agree with those loads."""
    peers: dict[str, float] = field(default_factory=dict)

    @property
    def case(self) -> str:
        """When, what is hidden, and which loads are known."""
        when = "live" if self.live else "looking back"
        return (
            f"{when}, {self.gaps.name}, {f'with {self.loads}' if self.loads else 'without loads'}"
        )

    @property
    def beside_plain(self) -> str:
        """The target that plain methods without loads set."""
        return f"NMAE, {self.case}"

    @property
    def beside_moved(self) -> str:
        """The target that plain methods with loads set."""
        return f"NMAE, {self.case}, as plain methods"

    def targets(self) -> Iterator[Target]:
        """With blocks a quarter better than the best plain method; else no worse.

        With loads also no worse than linear interpolation, even live, on single cells, and than the
        best plain method that has the loads.
        """
        bound = min(self.plain.values())
        if self.loads and not self.gaps.block:
            bound = min(bound, self.linear)
        share = _BLOCK_GOAL if self.gaps.block else 1.0
        yield at_most(self.beside_plain, round(share * bound, 2), self.vae, "%")
        if self.moved:
            yield at_most(self.beside_moved, round(min(self.moved.values()), 2), self.vae, "%")
        yield between(f"in 90 % interval, {self.case}", *_COVERAGE, self.coverage, "%")

    def row(self) -> dict[str, Any]:
        """For the report."""
        moved = {f"{name} + loads": figure for name, figure in self.moved.items()}
        figures = {"VAE": self.vae, **self.plain, **self.peers, **moved, "coverage": self.coverage}
        return {"what": self.beside_plain, "figures": figures}


def beside(scores: Sequence[Score]) -> Mapping[str, Mapping[str, float | None]]:
    """What the other methods reach, by target: with loads where the target says so."""
    columns: dict[str, dict[str, float | None]] = {}
    for score in scores:
        for name, figure in {**score.plain, **score.peers}.items():
            columns.setdefault(name, {})[score.beside_plain] = figure
        for name, figure in score.moved.items():
            columns.setdefault(name, {})[score.beside_moved] = figure
    return columns

"""The policy that many an operator would write: off the hottest link, one pair at a time."""

from __future__ import annotations

import numpy as np

from topologies.model import OdPair, Path
from topologies.paths import k_shortest_paths, path_directions
from topologies.splits import paths_of
from twin.policy import Proposal
from twin.view import TwinView


class GreedyPolicy:
    """Moves the largest pair off the hottest link, to the first path that the model likes better.

    It looks at what is measured alone, moves one pair at a time, and then rests.
    """

    name = "greedy"
    never_worse = True

    HOT = 0.9
    """Utilisation that calls for a move."""
    GAIN = 0.02
    """Smallest fall of the maximum utilisation worth one."""
    PATHS = 4
    PAIRS = 8
    """Of the hottest link, the largest: each path of each is a question to the model."""
    REST_S = 1.0

    def __init__(self) -> None:
        self._rest_until_s = -np.inf

    def decide(self, view: TwinView) -> Proposal | None:
        """Propose a move if a link is hot and one helps."""
        if not len(view.utilisation):
            return None  # one switch: there is no other path
        hottest = int(np.argmax(np.nan_to_num(view.utilisation)))
        if view.now_s < self._rest_until_s or not view.utilisation[hottest] >= self.HOT:
            return None
        self._rest_until_s = view.now_s + self.REST_S
        link = view.topology.core_directions[hottest]
        on_it = [
            index
            for index, pair in enumerate(view.topology.od_pairs)
            if any(link in path_directions(p) for p in paths_of(view.routing.get(pair, ())))
        ]
        enough = view.what_if({}).max_utilisation - self.GAIN
        for index in sorted(on_it, key=lambda index: -view.measured_bps[index])[: self.PAIRS]:
            pair = view.topology.od_pairs[index]
            for path in self._others(view, pair):
                if view.what_if({pair: path}).max_utilisation <= enough:
                    return Proposal({pair: path}, "hot-link")
        return None

    def _others(self, view: TwinView, pair: OdPair) -> list[Path]:
        source, target = (view.topology.switch_of[host] for host in pair)
        paths = k_shortest_paths(view.topology, source, target, self.PATHS, "delay", view.down)
        return [path for path in paths if path != view.routing.get(pair)]

"""A small message-passing network in the style of RouteNet-Fermi, to compare with.

Links and paths have states. In every round each path reads the states of its links in order with a
recurrent unit, and each link the sum of what its paths said of it. In the end a link's occupancy,
as seen by a path, is read out; delays are sums of occupancies over rates, so that other rates and
sizes are met by construction. M. Ferriol-Galmes et al., "RouteNet-Fermi: network modeling with
graph neural networks", IEEE/ACM Trans. Netw. 31(6), 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from twin.fitting import Case, Told
from twin.model import FRAME_BITS
from twin.samples import routing

_STATE, _ROUNDS = 16, 4
_EPOCHS, _LEARNING_RATE = 60, 3e-3
_LOSS_WEIGHT = 5.0


@dataclass(frozen=True)
class _Graph:
    """A case as tensors. The filler link is the last row of everything per link."""

    hops: Tensor
    """(pairs, longest)"""
    valid: Tensor
    """(pairs, longest) 1 where there is a link."""
    links: Tensor
    """(links + 1, features)"""
    paths: Tensor
    """(pairs, features)"""
    packet_ms: Tensor
    """(links + 1,)"""
    room: Tensor
    idle_ms: Tensor
    """(pairs,)"""


class Gnn(nn.Module):
    """From a graph to the mean and p95 delay and the loss of every pair."""

    def __init__(self) -> None:
        super().__init__()
        self.link = nn.Sequential(nn.Linear(3, _STATE), nn.ReLU(), nn.Linear(_STATE, _STATE))
        self.path = nn.Sequential(nn.Linear(2, _STATE), nn.ReLU(), nn.Linear(_STATE, _STATE))
        self.read = nn.GRUCell(_STATE, _STATE)
        self.update = nn.GRUCell(_STATE, _STATE)
        self.out = nn.Sequential(nn.Linear(2 * _STATE, _STATE), nn.ReLU(), nn.Linear(_STATE, 3))

    def forward(self, graph: _Graph) -> tuple[Tensor, Tensor, Tensor]:
        """(pairs,) mean and p95 in milliseconds, and loss."""
        links, paths = self.link(graph.links), self.path(graph.paths)
        said: list[Tensor] = []
        for _ in range(_ROUNDS):
            said, state = [], paths
            heard = torch.zeros_like(links)
            for position in range(graph.hops.shape[1]):
                at, valid = graph.hops[:, position], graph.valid[:, position : position + 1]
                state = valid * self.read(links[at], state) + (1 - valid) * state
                said.append(state)
                heard = heard.index_add(0, at, state * valid)
            paths, links = state, self.update(heard, links)
        return self._delays(graph, links, said)

    def _delays(
        self, graph: _Graph, links: Tensor, said: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        mean = p95 = graph.idle_ms
        kept = torch.zeros_like(mean)
        for position, state in enumerate(said):
            at, valid = graph.hops[:, position], graph.valid[:, position]
            queue, tail, lost = self.out(torch.cat([state, links[at]], dim=1)).unbind(1)
            scale = valid * graph.packet_ms[at]
            waiting = torch.sigmoid(queue - 3) * graph.room[at]
            mean = mean + scale * waiting
            p95 = p95 + scale * (waiting + torch.nn.functional.softplus(tail))
            kept = kept + valid * torch.nn.functional.logsigmoid(4 - lost)
        return mean, p95, 1 - kept.exp()


def train(cases: Sequence[Case], seed: int = 0) -> Gnn:
    """Fitted to the same errors as the performance model."""
    torch.manual_seed(seed)
    net = Gnn()
    optimiser = torch.optim.Adam(net.parameters(), _LEARNING_RATE)
    graphs = [_graph(case) for case in cases]
    order = np.random.default_rng(seed)
    for _ in range(_EPOCHS):
        for at in order.permutation(len(cases)):
            loss = _off(net(graphs[at]), cases[at])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
    return net


def told(net: Gnn, case: Case) -> Told:
    """What the network says of a case."""
    with torch.no_grad():
        mean, p95, loss = (one.double().numpy() for one in net(_graph(case)))
    return mean, p95, loss


def _off(said: tuple[Tensor, Tensor, Tensor], case: Case) -> Tensor:
    counted = torch.as_tensor(case.counted)
    measured = (_tensor(one)[counted] for one in (case.mean_ms, case.p95_ms, case.loss))
    mean, p95, loss = (one[counted] for one in said)
    real_mean, real_p95, real_loss = measured
    return torch.as_tensor(
        (mean / real_mean).log().abs().mean()
        + (p95 / real_p95).log().abs().mean() / 2
        + _LOSS_WEIGHT * (loss - real_loss).abs().mean()
    )


def _graph(case: Case) -> _Graph:
    ix, routed = case.indexing, case.routed
    hops = ix.branches(routing(case.sample, ix)).hops
    load = routed.loads(case.od_bps[None], np.zeros((1, len(ix.directions))))[0] / ix.rate_bps
    packet_ms = np.append(FRAME_BITS / ix.rate_bps * 1e3, 0.0)
    links = np.column_stack(
        [np.append(load, 0), np.append(ix.queue_packets / 100, 0), np.log1p(packet_ms)]
    )
    paths = np.column_stack([np.log1p(case.od_bps / FRAME_BITS), case.frame_bits / FRAME_BITS])
    idle = routed.sums(ix.delay_ms[None])[0]
    idle += case.frame_bits * 1e3 * routed.sums(1 / ix.rate_bps[None])[0]
    return _Graph(
        hops=torch.as_tensor(hops),
        valid=_tensor(hops != len(ix.directions)),
        links=_tensor(links),
        paths=_tensor(paths),
        packet_ms=_tensor(packet_ms),
        room=_tensor(np.append(ix.queue_packets, 0)),
        idle_ms=_tensor(idle),
    )


def _tensor(values: object) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32)

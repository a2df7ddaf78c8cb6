"""The best that any routing could do: multi-commodity flow linear programs, solved by HiGHS.

Flows may be split at will. They are aggregated by destination switch, which keeps the programs
small and exact: one variable per destination and usable core direction. The solver is described
in Q. Huangfu and J. Hall, "Parallelizing the dual revised simplex method", Math. Prog. Comp. 10,
2018, and called through `scipy.optimize.linprog`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import linprog

from topologies.loads import FloatArray
from topologies.model import DirectedLink, Topology

_NOTHING: frozenset[DirectedLink] = frozenset()


def min_max_utilisation(
    topology: Topology,
    matrix_bps: FloatArray,
    down: frozenset[DirectedLink] = _NOTHING,
    capacity_factor: Mapping[DirectedLink, float] | None = None,
) -> float:
    """Return the least possible maximum utilisation of the core links under `matrix_bps`.

    `matrix_bps` is (hosts, hosts). Demand that no path can carry without the directions in `down`
    is left out, as in `topologies.loads`. Above 1 the matrix cannot be delivered in full.
    Directions in `capacity_factor` carry so many times what they are configured to.
    """
    network = _Network(topology, down, capacity_factor)
    source, target = np.nonzero(matrix_bps * network.reachable)
    demand = matrix_bps[source, target]
    scale = demand.sum()  # in shares of the total, where the solver's tolerances mean something
    if scale == 0.0 or not (network.at[source] != network.at[target]).any():
        return 0.0
    balance, total = network.balance, network.total
    worst_link = np.zeros(balance.shape[1] + 1)
    worst_link[-1] = 1.0
    solution = _solve(
        minimise=worst_link,
        equal=sparse.hstack([balance, sparse.csr_matrix((balance.shape[0], 1))]),
        to=network.entering(source, target) @ (demand / scale),
        below=sparse.hstack([total, sparse.csr_matrix(-network.rates_bps[:, None] / scale)]),
        bound=np.zeros(total.shape[0]),
    )
    return float(solution[-1])


def max_deliverable_bps(
    topology: Topology, matrix_bps: FloatArray, down: frozenset[DirectedLink] = _NOTHING
) -> float:
    """Return the most of `matrix_bps` that can be delivered at once, summed over the pairs.

    `matrix_bps` is (hosts, hosts). Each pair gets at most its demand; each direction of each link,
    access links too, carries at most its rate, and nothing where it is in `down`.
    """
    network = _Network(topology, down)
    source, target = np.nonzero(matrix_bps)
    demand = matrix_bps[source, target]
    if demand.size == 0:
        return 0.0
    scale = demand.sum()
    balance, total = network.balance, network.total
    pairs, hosts = np.arange(demand.size), len(network.at)
    shape = (hosts, demand.size)
    sent = sparse.csr_matrix((np.ones(demand.size), (source, pairs)), shape=shape)
    received = sparse.csr_matrix((np.ones(demand.size), (target, pairs)), shape=shape)
    flows = balance.shape[1]
    solution = _solve(
        minimise=np.concatenate([np.zeros(flows), -np.ones(demand.size)]),
        equal=sparse.hstack([balance, -network.entering(source, target)]),
        to=np.zeros(balance.shape[0]),
        below=sparse.bmat([[total, None], [None, sent], [None, received]]),
        bound=np.concatenate([network.rates_bps, network.sending_bps, network.receiving_bps])
        / scale,
        at_most=np.concatenate([np.full(flows, np.inf), demand / scale]),
    )
    return float(solution[flows:].sum() * scale)


class _Network:
    """The matrices of the programs; flow variables are ordered by destination, then direction."""

    def __init__(
        self,
        topology: Topology,
        down: frozenset[DirectedLink],
        capacity_factor: Mapping[DirectedLink, float] | None = None,
    ) -> None:
        directions = [d for d in topology.core_directions if d not in down]
        factor = capacity_factor or {}
        switch = {s.name: index for index, s in enumerate(topology.switches)}
        self.switches = len(switch)
        tail = np.array([switch[a] for a, _ in directions], dtype=int)
        head = np.array([switch[b] for _, b in directions], dtype=int)
        self.rates_bps = np.array(
            [_rate_bps(topology, d, down) * factor.get(d, 1.0) for d in directions]
        )
        self.at = np.array([switch[host.switch] for host in topology.hosts])
        """Index of the switch of every host."""
        access = [(host.name, host.switch) for host in topology.hosts]
        self.sending_bps = np.array([_rate_bps(topology, d, down) for d in access])
        self.receiving_bps = np.array([_rate_bps(topology, (b, a), down) for a, b in access])

        each = np.arange(len(directions))
        shape = (self.switches, len(directions))
        ones = np.ones(len(directions))
        out = sparse.csr_matrix((ones, (tail, each)), shape=shape)
        into = sparse.csr_matrix((ones, (head, each)), shape=shape)
        self.balance = sparse.kron(sparse.eye(self.switches), out - into, format="csr")
        """(destinations x switches, flows): what leaves a switch minus what arrives there."""
        self.total = sparse.kron(
            np.ones((1, self.switches)), sparse.eye(len(directions)), format="csr"
        )
        """(directions, flows): the load of every direction."""
        hops = sparse.csgraph.shortest_path(out @ into.T, unweighted=True)
        self.reachable: npt.NDArray[np.bool_] = np.isfinite(hops)[np.ix_(self.at, self.at)]
        """(hosts, hosts): whether a path exists."""

    def entering(self, source: npt.NDArray[np.int_], target: npt.NDArray[np.int_]) -> Any:
        """(destinations x switches, pairs): where a unit of each host pair enters and leaves."""
        ingress, egress = self.at[source], self.at[target]
        pairs = np.arange(len(source))
        rows = np.concatenate([ingress, egress]) + self.switches * np.tile(egress, 2)
        signs = np.repeat([1.0, -1.0], len(pairs))
        shape = (self.switches**2, len(pairs))
        return sparse.csr_matrix((signs, (rows, np.tile(pairs, 2))), shape=shape)


def _rate_bps(topology: Topology, direction: DirectedLink, down: frozenset[DirectedLink]) -> float:
    return 0.0 if direction in down else topology.link_between[direction].shape.rate_bps


def _solve(
    minimise: FloatArray,
    equal: Any,
    to: FloatArray,
    below: Any,
    bound: FloatArray,
    at_most: FloatArray | None = None,
) -> FloatArray:
    """Minimise over x >= 0 where `equal` x = `to`, `below` x <= `bound`, x <= `at_most`."""
    upper = np.full(minimise.size, np.inf) if at_most is None else at_most
    solution = linprog(
        minimise,
        A_ub=below,
        b_ub=bound,
        A_eq=equal,
        b_eq=to,
        bounds=np.column_stack([np.zeros(minimise.size), upper]),
        method="highs",
    )
    if not solution.success:
        raise ArithmeticError(f"the linear program was not solved: {solution.message}")
    return np.asarray(solution.x)

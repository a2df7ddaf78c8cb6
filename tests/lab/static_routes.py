"""Routes for every pair, where no controller takes part."""

from __future__ import annotations

from testbed.network import Network
from testbed.static_routes import install_routes
from topologies.paths import shortest_paths


def install_shortest_paths(network: Network) -> None:
    """Static entries for every pair."""
    install_routes(network, shortest_paths(network.topology))

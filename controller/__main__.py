"""`python -m controller --run-dir DIR`: the controller as a process of the lab.

It reads DIR/topology.json, appends every message to DIR/telemetry.jsonl, serves
DIR/northbound.sock, and listens for the switches. SIGTERM and SIGINT end it.
The environment variable TWINBED_RUNTIME says on which library it runs: ryu (default) or os-ken.
Exit codes: 0 ended by a signal, 1 cannot go on, 2 cannot start.
"""

from __future__ import annotations

import argparse
import logging
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from controller.errors import StartError
from controller.runtime_choice import chosen_runtime
from controller.topology_file import read_topology


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the controller and return its exit code."""
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.WARNING)
    options = _parser().parse_args(arguments)
    try:
        chosen = chosen_runtime()
        # Listening comes first: the switches connect while the libraries are being loaded.
        with _listen(options.listen) as listener:
            topology = read_topology(options.run_dir / "topology.json")
            from controller import runtime

            runtime.select(chosen)
            from controller import process

            return process.run(
                topology,
                options.weight,
                options.protected,
                options.ecmp,
                options.run_dir,
                listener,
            )
    except StartError as error:
        sys.stderr.write(f"controller: {error}\n")
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m controller", description="The SDN controller of a Twinbed lab."
    )
    parser.add_argument("--run-dir", type=Path, required=True, help="the run directory")
    parser.add_argument("--listen", default="127.0.0.1:6653", help="HOST:PORT for the switches")
    parser.add_argument("--weight", choices=("delay", "hops"), default="delay")
    parser.add_argument("--protected", action="store_true", help="fast failover in the switches")
    parser.add_argument(
        "--ecmp", action="store_true", help="split pairs over all their paths of fewest hops"
    )
    return parser


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise StartError(f"--listen {address}: give HOST:PORT, such as 127.0.0.1:6653")
    try:
        return socket.create_server((host, int(port)))
    except (OSError, OverflowError) as error:
        raise StartError(f"cannot listen on {address}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())

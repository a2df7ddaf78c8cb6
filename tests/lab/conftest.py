"""Lab tests: a test marked `sandbox` runs as a process of its own inside a new sandbox.

The test function is run by a second pytest, which is process 1 of the sandbox; what it prints is
shown when it fails. Tests without the mark run outside, as a user's shell would.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.runtime_choice import PACKAGES, VARIABLE
from testbed import openvswitch, sandbox
from testbed.capabilities import probe
from testbed.links.probing import choose_backend, open_backend
from testbed.network import Network
from topologies.catalogue import load_topology
from topologies.model import Topology

INSIDE = "TWINBED_TEST_INSIDE"
TIMEOUT_S = 480


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sandbox: run the test inside a sandbox of its own")
    config.addinivalue_line(
        "markers", "topology(name or Topology): the network of the `network` fixture"
    )
    config.addinivalue_line("markers", "bfd: the `network` fixture runs BFD on its links")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if pyfuncitem.get_closest_marker("sandbox") is None or os.environ.get(INSIDE):
        return None
    inside = subprocess.run(
        sandbox.probe_sandbox().command(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", pyfuncitem.nodeid]
        ),
        env={**os.environ, INSIDE: "1"},
        cwd=pyfuncitem.config.rootpath,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    if inside.returncode != 0:
        pytest.fail(f"inside the sandbox:\n{inside.stdout}\n{inside.stderr}", pytrace=False)
    return True


@pytest.fixture
def network(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Network | None]:
    """The network named by the `topology` mark (else the triangle), inside the sandbox."""
    if not os.environ.get(INSIDE):
        yield None  # the test body runs inside only
        return
    sandbox.furnish(openvswitch.environment())
    mark = request.node.get_closest_marker("topology")
    wanted = mark.args[0] if mark else "triangle"
    topology = wanted if isinstance(wanted, Topology) else load_topology(wanted)
    openvswitch.start(tmp_path)
    links = open_backend(os.environ["TWINBED_TEST_BACKEND"], tmp_path)
    yield Network(topology, links, bfd=request.node.get_closest_marker("bfd") is not None)


@pytest.fixture(params=PACKAGES)
def runtime(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test once with the controller on each OpenFlow library."""
    monkeypatch.setenv(VARIABLE, request.param)


@pytest.fixture(autouse=True, scope="session")
def backend() -> None:
    """Find the backend once, outside: probing opens sandboxes of its own."""
    if not os.environ.get(INSIDE):
        os.environ["TWINBED_TEST_BACKEND"] = choose_backend(probe())

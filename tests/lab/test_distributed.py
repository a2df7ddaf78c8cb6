"""Networks without a controller converge, heal and come back: RSTP, and OSPF with BFD."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from controller_lab import reaches

from testbed import frr, openvswitch, sandbox
from testbed.distributed import DistributedNetwork
from testbed.faults import EndDown, Fault, LinkDown, Silent, SwitchCrash
from testbed.idle_check import check_links, check_paths
from testbed.links.probing import open_backend
from testbed.mode_network import open_network
from testbed.modes import CONVERGENCE_S, missing_programs
from topologies.catalogue import load_topology
from topologies.model import Routing
from topologies.paths import path_directions

pytestmark = pytest.mark.sandbox

LINK = ("s1", "s2")
needs_frr = pytest.mark.skipif(
    missing_programs("ospf") != (), reason="FRR is not installed: apt-get install frr"
)
MODES = ["spanning-tree", pytest.param("ospf", marks=needs_frr)]


@pytest.fixture(params=MODES)
def distributed(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[DistributedNetwork | None]:
    """A triangle in that mode, inside the sandbox."""
    if not os.environ.get("TWINBED_TEST_INSIDE"):
        yield None  # the test body runs inside only
        return
    sandbox.furnish(openvswitch.environment())
    if request.param == "spanning-tree":
        openvswitch.start(tmp_path)
    links = open_backend(os.environ["TWINBED_TEST_BACKEND"], tmp_path)
    yield open_network(request.param, load_topology("triangle"), links, "delay", tmp_path)


def crosses(routing: Routing, link: tuple[str, str]) -> bool:
    return any({link, link[::-1]} & {*path_directions(path)} for path in routing.values())


def all_reach(network: DistributedNetwork) -> bool:
    return all(reaches(network, *pair) for pair in network.topology.od_pairs)


def test_a_network_converges_and_every_link_and_path_is_whole(
    distributed: DistributedNetwork,
) -> None:
    routing = distributed.await_convergence(CONVERGENCE_S)
    assert list(routing) == list(distributed.topology.od_pairs)
    assert crosses(routing, LINK)
    lab = (distributed.topology, distributed.addressing, distributed.hosts)
    assert all(link.arrived == link.sent for link in check_links(*lab))
    for path in check_paths(*lab, routing):
        assert path.arrived
        assert path.measured_ms is not None
        assert -1.0 < path.measured_ms - path.configured_ms < 50.0, path


@pytest.mark.parametrize(
    "fault",
    [LinkDown(LINK), EndDown(LINK, "s2"), Silent((LINK, LINK[::-1]))],
    ids=["link-down", "one-end-down", "silent"],
)
def test_packets_find_another_way_and_the_old_one_back(
    distributed: DistributedNetwork, fault: Fault
) -> None:
    before = distributed.await_convergence(CONVERGENCE_S)
    assert crosses(before, LINK)
    distributed.set_faults([fault])
    healed = distributed.await_convergence(CONVERGENCE_S)
    assert not crosses(healed, LINK)
    assert all_reach(distributed)
    distributed.set_faults([])
    assert distributed.await_convergence(CONVERGENCE_S) == before
    assert all_reach(distributed)


def test_a_crashed_node_takes_only_its_host_along_and_comes_back(
    distributed: DistributedNetwork,
) -> None:
    before = distributed.await_convergence(CONVERGENCE_S)
    distributed.set_faults([SwitchCrash("s2")])
    without = distributed.await_convergence(CONVERGENCE_S)
    assert set(without) == {("h1", "h3"), ("h3", "h1")}
    assert reaches(distributed, "h1", "h3")
    assert not reaches(distributed, "h1", "h2")
    distributed.set_faults([])
    assert distributed.await_convergence(CONVERGENCE_S) == before
    assert all_reach(distributed)


@needs_frr
@pytest.mark.parametrize("daemon", frr.DAEMONS)
def test_the_daemons_understand_every_line_they_are_told(daemon: str) -> None:
    sandbox.furnish(openvswitch.environment())
    frr.furnish()
    router = frr.RouterSettings("s1", "10.255.0.1", {"s1-eth1": 200}, ["s1-eth2"], 50)
    frr.write_configuration(router)

    def complaints() -> str:
        argv = [*frr.command("s1", daemon), "--dryrun"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return "".join(re.findall("No such command.*", done.stdout + done.stderr))

    assert complaints() == ""
    file = frr.folder_of("s1") / f"{daemon}.conf"
    file.write_text(file.read_text() + "no such words\n")
    assert complaints()

"""A controller killed with SIGKILL, and the next one, while all pairs send."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, pairwise
from pathlib import Path

import pytest
from controller_lab import control, reaches, wait_for

from controller import adoption
from controller.dumped_tables import entries_of, groups_of
from controller.flow_entries import FlowEntry
from controller.forwarding import Forwarding
from controller.groups import Group
from controller.messages import DatapathState, Ready, Reroute, RerouteDone, Route, Routes
from controller.protection import Protection
from controller.standing_entries import standing_entries
from controller.verification import verify
from testbed import switch_tables
from testbed.faults import LinkDown
from testbed.network import Network
from testbed.pair_stream import stream
from topologies.model import OdPair, Topology
from topologies.model import Path as SwitchPath
from topologies.paths import k_shortest_paths

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.topology("topohub:sndlib/abilene"),
]

SPACING_S = 0.001
SURVIVES_S = (0.005, 0.12, 0.03, 0.25, 0.07, 0.5)
"""For so long after a request; a reroute of all pairs takes about 0.1 s and then drains."""
CHANGES = ("OFPT_FLOW_MOD", "OFPT_GROUP_MOD", "ONFT_BUNDLE_ADD_MESSAGE")


def paths_of_rank(topology: Topology, rank: int) -> dict[OdPair, SwitchPath]:
    """The path of that rank (0 the shortest) of every pair, or its longest if there are fewer."""
    found = {}
    for source, target in topology.od_pairs:
        ends = topology.switch_of[source], topology.switch_of[target]
        found[source, target] = k_shortest_paths(topology, *ends, k=rank + 1)[-1]
    return found


def superfluous(network: Network) -> set[FlowEntry]:
    """The entries that neither stand for good nor belong to the route of a pair."""
    topology, addressing = network.topology, network.addressing
    entries, _ = tables(network)
    routes = adoption.find(topology, addressing, Protection(addressing, {}), entries).routes
    needed = {entry for _, way in routes.values() for entry in (way.ingress, *way.behind)}
    return {*entries} - needed - {*standing_entries(topology, addressing)}


def reroute(paths: dict[OdPair, SwitchPath]) -> Reroute:
    return Reroute("all", tuple(Route(*pair, path) for pair, path in paths.items()))


def tables(network: Network) -> tuple[list[FlowEntry], list[Group]]:
    """What all switches hold."""
    dumped = switch_tables.dump(network.switches).items()
    return (
        [entry for switch, held in dumped for entry in entries_of(switch, held.flows)],
        [group for switch, held in dumped for group in groups_of(switch, held.groups)],
    )


def paths_now(network: Network) -> dict[OdPair, SwitchPath]:
    """Where the tables lead each pair."""
    forwarding = Forwarding(network.topology, *tables(network))
    return {pair: forwarding.walk(pair) for pair in network.topology.od_pairs}


def log_messages() -> None:
    """Have Open vSwitch log every OpenFlow message, however many there are."""
    for command in (["vlog/set", "vconn:console:dbg"], ["vlog/disable-rate-limit", "vconn"]):
        subprocess.run(["ovs-appctl", *command], check=True)


def received(run_dir: Path, *kinds: str) -> int:
    """How many messages of these kinds Open vSwitch has logged."""
    log = (run_dir / "ovs-vswitchd.log").read_text(errors="replace")
    return sum(log.count(f"received: {kind}") for kind in kinds)


def test_killed_in_big_reroutes_every_pair_ends_on_its_old_or_its_new_path(
    network: Network, tmp_path: Path
) -> None:
    topology = network.topology
    with control(network, tmp_path) as lab:
        lab.process.kill()
    before = target = paths_now(network)
    survives_s, ranks, kills = cycle(SURVIVES_S), cycle((1, 2, 0)), 0
    with ThreadPoolExecutor(1) as pool:
        delays_s = pool.submit(stream, network, topology.od_pairs, SPACING_S, 20.0)
        while not delays_s.done():
            with control(network, tmp_path) as lab:
                now = paths_now(network)
                assert all(path in (before[pair], target[pair]) for pair, path in now.items())
                before, target = now, paths_of_rank(topology, next(ranks))
                lab.client.send(reroute(target))
                time.sleep(next(survives_s))
                lab.process.kill()
                kills += 1
        with control(network, tmp_path):
            now = paths_now(network)
            assert all(path in (before[pair], target[pair]) for pair, path in now.items())
            cleaning = pool.submit(stream, network, topology.od_pairs, SPACING_S, 5.0)
            wait_for(lambda: not superfluous(network))
            assert paths_now(network) == now
    assert delays_s.result().count(None) == 0
    assert cleaning.result().count(None) == 0
    assert kills > 2
    assert verify(topology, *tables(network), failing=False).breaches == ()


def test_pairs_end_on_old_or_new_paths_when_a_switch_is_cut_off_in_big_reroutes(
    network: Network, tmp_path: Path
) -> None:
    topology = network.topology
    with control(network, tmp_path) as lab, ThreadPoolExecutor(1) as pool:
        before = paths_now(network)
        delays_s = pool.submit(stream, network, topology.od_pairs, SPACING_S, 10.0)
        for rank, cut_s in ((1, 0.0), (2, 0.03)):
            target = paths_of_rank(topology, rank)
            lab.client.send(reroute(target))
            time.sleep(cut_s)
            network.set_control_channel("s5", connected=False)
            done = lab.await_message(RerouteDone)
            network.set_control_channel("s5", connected=True)
            lab.await_message(DatapathState, lambda m: m.datapath == "s5" and m.connected)
            follow = {(r.src, r.dst) for r in done.refused if "follows" in r.reason}
            moved = follow | {(route.src, route.dst) for route in done.applied}
            ended = {p: target[p] if p in moved else before[p] for p in topology.od_pairs}
            wait_for(lambda ended=ended: paths_now(network) == ended)
            before = ended
        wait_for(lambda: not superfluous(network))
        assert delays_s.result().count(None) == 0


@pytest.mark.parametrize("options", [(), ("--protected",)])
@pytest.mark.usefixtures("runtime")
def test_a_new_controller_over_a_whole_network_changes_nothing(
    options: tuple[str, ...], network: Network, tmp_path: Path
) -> None:
    log_messages()
    with control(network, tmp_path, *options) as lab:
        assert not lab.ask(reroute(paths_of_rank(network.topology, 1)), RerouteDone).refused
        lab.process.kill()
    held, changes = tables(network), received(tmp_path, *CHANGES)
    enquiries = received(tmp_path, "OFPST_GROUP_DESC request")
    assert changes
    with ThreadPoolExecutor(1) as pool:
        delays_s = pool.submit(stream, network, network.topology.od_pairs, SPACING_S, 8.0)
        with control(network, tmp_path, *options):
            wanted = enquiries + 2 * len(network.switches)  # to fill them, and to clean them
            wait_for(lambda: received(tmp_path, "OFPST_GROUP_DESC request") >= wanted)
        assert delays_s.result().count(None) == 0
    assert received(tmp_path, *CHANGES) == changes
    assert tables(network) == held


def test_a_new_controller_does_not_wait_for_ever_for_a_switch_that_is_away(
    network: Network, tmp_path: Path
) -> None:
    with control(network, tmp_path) as lab:
        network.set_control_channel("s5", connected=False)
        lab.await_message(DatapathState, lambda m: m.datapath == "s5" and not m.connected)
        lab.process.kill()
    path = paths_now(network)["h3", "h9"]
    cut = next(hop for hop in pairwise(path) if "s5" not in hop)
    with (
        ThreadPoolExecutor(1) as pool,
        control(network, tmp_path, until_ready=False) as lab,
    ):
        delays_s = pool.submit(stream, network, network.topology.od_pairs, SPACING_S, 6.0)
        adopted = lab.await_message(Routes, lambda m: m.cause == "adoption")
        assert ("h3", "h9") in {(route.src, route.dst) for route in adopted.routes}
        assert delays_s.result().count(None) == 0
        network.set_faults([LinkDown(cut)])
        lab.await_message(Routes, lambda m: any(r.src == "h3" and r.dst == "h9" for r in m.routes))
        assert reaches(network, "h3", "h9")
        network.set_faults([])
        network.set_control_channel("s5", connected=True)
        lab.await_message(Ready)
    assert verify(network.topology, *tables(network), failing=False).breaches == ()


@pytest.mark.usefixtures("runtime")
def test_an_emptied_switch_is_refilled_in_one_bundle(network: Network, tmp_path: Path) -> None:
    log_messages()
    with control(network, tmp_path, "--protected") as lab:
        held = tables(network)
        assert any(group.switch == "s5" for group in held[1])
        network.set_control_channel("s5", connected=False)
        lab.await_message(DatapathState, lambda m: m.datapath == "s5" and not m.connected)
        for command in ("del-flows", "del-groups"):
            subprocess.run(["ovs-ofctl", "-OOpenFlow13", command, "s5"], check=True)
        before = received(tmp_path, "OFPT_FLOW_MOD", "OFPT_GROUP_MOD")
        bundles = received(tmp_path, "ONFT_BUNDLE_CONTROL")
        network.set_control_channel("s5", connected=True)
        wait_for(lambda: [set(kind) for kind in tables(network)] == [set(kind) for kind in held])
        assert received(tmp_path, "OFPT_FLOW_MOD", "OFPT_GROUP_MOD") == before
        assert received(tmp_path, "ONFT_BUNDLE_CONTROL") == bundles + 2  # opened and committed
        assert reaches(network, "h5", "h10")

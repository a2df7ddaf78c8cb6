"""Reroutes, link failures and lost control channels, while packets are on their way."""

from __future__ import annotations

import subprocess
from itertools import cycle, islice, pairwise
from pathlib import Path

import pytest
from controller_lab import ControllerLab, control, reaches, streaming

from controller.messages import (
    DatapathState,
    LinkState,
    OdStats,
    PortStats,
    Reroute,
    RerouteDone,
    Route,
    Routes,
)
from testbed.faults import LinkDown
from testbed.network import Network
from topologies.paths import k_shortest_paths

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.topology("topohub:sndlib/abilene"),
]


def moves(lab: ControllerLab, source: str, target: str, rank: int) -> tuple[Route, ...]:
    """Both directions between two hosts to their path of that rank (0 the shortest), or their
    longest if there are fewer."""
    topology = lab.network.topology
    ends = topology.switch_of[source], topology.switch_of[target]
    path = k_shortest_paths(topology, *ends, k=rank + 1)[-1]
    return Route(source, target, path), Route(target, source, path[::-1])


def test_twenty_reroutes_at_500_packets_a_second_lose_none(
    network: Network, tmp_path: Path
) -> None:
    with control(network, tmp_path) as lab:
        assert reaches(network, "h1", "h10")
        with streaming(network, "h1", "h10", spacing_ms=2, duration_s=10) as stream:
            for number, rank in enumerate(islice(cycle([1, 2, 0]), 20)):
                wanted = moves(lab, "h1", "h10", rank)
                lab.client.send(Reroute(str(number), wanted))
                assert lab.await_message(Routes).routes == wanted
                # The old path of the move before is still being drained.
                lab.await_message(PortStats, lambda m: m.datapath == "s1")
            done = lab.await_message(RerouteDone, lambda m: m.request_id == "19")
            assert done.received_s < done.installed_s < done.switched_s < done.removed_s
        assert stream.lost == 0


@pytest.mark.usefixtures("runtime")
def test_all_pairs_move_in_one_transaction(network: Network, tmp_path: Path) -> None:
    with control(network, tmp_path) as lab, streaming(network, "h2", "h9", 5, 5) as stream:
        wanted = tuple(moves(lab, *pair, rank=1)[0] for pair in network.topology.od_pairs)
        done = lab.ask(Reroute("all", wanted), RerouteDone)
        assert (done.applied, done.refused) == (wanted, ())
        assert done.switched_s - done.received_s < 1.0
    assert stream.lost == 0


@pytest.mark.usefixtures("runtime")
def test_a_dead_link_is_routed_around_and_taken_again_after_its_return(
    network: Network, tmp_path: Path
) -> None:
    with control(network, tmp_path) as lab:
        route = moves(lab, "h1", "h10", rank=0)[0]
        hop = route.path[1], route.path[2]
        down_s = network.set_faults([LinkDown(hop)])
        assert not lab.await_message(LinkState).up
        restored = lab.await_message(Routes)
        assert restored.cause == "restoration"
        assert restored.t_s - down_s < 0.5
        assert all(hop not in pairwise(route.path) for route in restored.routes)
        assert reaches(network, "h1", "h10")
        with streaming(network, "h1", "h10", 5, 4) as stream:
            network.set_faults([])
            back = lab.await_message(Routes, lambda m: route in m.routes)
            assert back.cause == "restoration"
        assert stream.lost == 0


def test_a_requested_path_is_kept_when_another_link_returns(
    network: Network, tmp_path: Path
) -> None:
    with control(network, tmp_path) as lab:
        wanted = moves(lab, "h1", "h10", rank=1)
        lab.ask(Reroute("1", wanted), RerouteDone)
        shortest = moves(lab, "h1", "h10", rank=0)[0].path
        crossed = set(pairwise(wanted[0].path))
        free = next(hop for hop in pairwise(shortest) if hop not in crossed)
        network.set_faults([LinkDown(free)])
        lab.await_message(Routes, lambda m: m.cause == "restoration")
        network.set_faults([])
        returned = lab.await_message(Routes, lambda m: m.cause == "restoration")
        moved = {(route.src, route.dst) for route in returned.routes}
        assert ("h1", "h10") not in moved


@pytest.mark.usefixtures("runtime")
def test_a_cut_control_channel_disturbs_nothing(network: Network, tmp_path: Path) -> None:
    def sent_to_h10(stats: OdStats) -> int:
        return next(pair.packets for pair in stats.pairs if pair.dst == "h10")

    def of_s1(message: OdStats) -> bool:
        return message.datapath == "s1"

    with control(network, tmp_path) as lab, streaming(network, "h1", "h10", 5, 6) as stream:
        before = lab.await_message(OdStats, lambda m: of_s1(m) and sent_to_h10(m) > 50)
        network.set_control_channel("s1", connected=False)
        lab.await_message(DatapathState, lambda m: m.datapath == "s1" and not m.connected)
        refusal = lab.ask(Reroute("1", moves(lab, "h1", "h10", 1)), RerouteDone).refused[0]
        assert refusal.reason == "s1 is not connected"
        network.set_control_channel("s1", connected=True)
        assert longest_wait_ms("s1") == 1000, "a new controller waits for a switch but so long"
        lab.await_message(DatapathState, lambda m: m.datapath == "s1" and m.connected)
        after = lab.await_message(OdStats, lambda m: of_s1(m) and sent_to_h10(m) > 0)
        assert sent_to_h10(after) > sent_to_h10(before)
        assert not lab.ask(Reroute("2", moves(lab, "h1", "h10", 1)), RerouteDone).refused
    assert stream.lost == 0


def longest_wait_ms(switch: str) -> int:
    """Between its attempts to reach the controller."""
    command = ["ovs-vsctl", "get", "controller", switch, "max_backoff"]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.usefixtures("runtime")
def test_a_switch_that_has_lost_its_entries_is_refilled(network: Network, tmp_path: Path) -> None:
    with control(network, tmp_path) as lab:
        assert reaches(network, "h1", "h10")
        network.set_control_channel("s1", connected=False)
        lab.await_message(DatapathState, lambda m: m.datapath == "s1" and not m.connected)
        subprocess.run(["ovs-ofctl", "-OOpenFlow13", "del-flows", "s1"], check=True)
        assert not reaches(network, "h1", "h10")
        network.set_control_channel("s1", connected=True)
        lab.await_message(OdStats, lambda m: m.datapath == "s1" and len(m.pairs) == 11)
        assert reaches(network, "h1", "h10")


@pytest.mark.usefixtures("runtime")
def test_a_new_controller_takes_over_without_a_lost_packet(
    network: Network, tmp_path: Path
) -> None:
    with control(network, tmp_path) as lab:
        assert reaches(network, "h1", "h10")
        lab.ask(Reroute("1", moves(lab, "h1", "h10", 2)), RerouteDone)
    with streaming(network, "h1", "h10", 5, 8) as stream, control(network, tmp_path) as lab:
        entries = lab.await_message(OdStats, lambda m: m.datapath == "s1").pairs
        assert len(entries) == 11
    assert stream.lost == 0

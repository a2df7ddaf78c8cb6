"""Fast failover on packets, and the tables of real switches walked in every single failure."""

from __future__ import annotations

import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest
from controller_lab import control, reaches, streaming

from controller.dumped_tables import entries_of, groups_of
from controller.messages import LinkState, Route, Routes
from controller.verification import verify
from testbed import switch_tables
from testbed.faults import EndDown, LinkDown, Silent, SwitchCrash
from testbed.network import Network
from topologies.model import DirectedLink
from topologies.model import Path as SwitchPath
from topologies.paths import shortest_paths

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.topology("topohub:sndlib/abilene"),
    pytest.mark.usefixtures("runtime"),
]


def test_what_the_switches_hold_survives_every_single_failure(
    network: Network, tmp_path: Path
) -> None:
    with control(network, tmp_path, "--protected"):
        tables = switch_tables.dump(network.switches)
    entries = [e for switch, one in tables.items() for e in entries_of(switch, one.flows)]
    groups = [g for switch, one in tables.items() for g in groups_of(switch, one.groups)]
    verified = verify(network.topology, entries, groups)
    assert verified.breaches == ()
    assert verified.states == 1 + 15 + 12
    without = verify(network.topology, entries, [g for g in groups if g.switch != "s3"])
    assert without.breaches


def test_packets_get_round_a_dead_link_and_a_dead_switch_while_the_controller_hangs(
    network: Network, tmp_path: Path
) -> None:
    with control(network, tmp_path, "--protected") as lab:
        # h3 to h9 directly, h3 to h12 by s9.
        assert ("s3", "s9") in network.topology.link_between
        lab.process.send_signal(signal.SIGSTOP)
        try:
            with streaming(network, "h3", "h9", spacing_ms=5, duration_s=4) as stream:
                network.set_faults([LinkDown(("s3", "s9"))])
                assert reaches(network, "h9", "h3", count=5)
            # Without protection all are lost that come while it is down: 700 of 800.
            assert stream.lost < 200
            others = [host for host in ("h9", "h12") if reaches(network, "h3", host)]
            assert others == ["h9", "h12"]
            network.set_faults([SwitchCrash("s9")])
            assert reaches(network, "h3", "h12", count=5)
        finally:
            lab.process.send_signal(signal.SIGCONT)


def test_the_end_that_sees_nothing_is_told_by_the_controller(
    network: Network, tmp_path: Path
) -> None:
    with control(network, tmp_path, "--protected") as lab:
        network.set_faults([EndDown(("s3", "s9"), "s9")])
        lab.await_message(LinkState, lambda m: m.datapath == "s9" and not m.up)
        with streaming(network, "h3", "h9", spacing_ms=5, duration_s=2) as stream:
            assert reaches(network, "h9", "h3", count=5)
        assert stream.lost < 40


def test_a_second_link_that_fails_half_a_second_later_is_led_round_too(
    network: Network, tmp_path: Path
) -> None:
    """It lies on the path that the controller has found after the first."""
    pair, first = ("h3", "h9"), ("s3", "s9")

    def path_after(*dead: DirectedLink) -> SwitchPath | None:
        down = frozenset(hop for a, b in dead for hop in ((a, b), (b, a)))
        return shortest_paths(network.topology, down=down).get(pair)

    path = path_after(first)
    assert path
    second = next(hop for hop in pairwise(path) if path_after(first, hop))
    found = Route(*pair, path_after(first, second) or ())
    with control(network, tmp_path, "--protected") as lab:
        with streaming(network, *pair, spacing_ms=5, duration_s=4) as stream:
            failed_s = network.set_faults([LinkDown(first)])
            lab.await_message(Routes, lambda m: Route(*pair, path) in m.routes)
            network.set_faults([LinkDown(first), LinkDown(second)], failed_s + 0.5)
            lab.await_message(Routes, lambda m: found in m.routes)
            assert reaches(network, *pair, count=5)
        assert stream.lost < 80  # of 800


@pytest.mark.bfd
def test_bfd_sees_what_no_port_tells(network: Network, tmp_path: Path) -> None:
    both = (("s3", "s9"), ("s9", "s3"))
    with control(network, tmp_path, "--protected") as lab:
        assert all(reaches(network, *pair) for pair in (("h3", "h9"), ("h1", "h10")))
        lab.process.send_signal(signal.SIGSTOP)
        try:
            with streaming(network, "h3", "h9", spacing_ms=5, duration_s=4) as stream:
                network.set_faults([Silent(both)])
                assert reaches_at_last(network, "h3", "h9")
            assert stream.lost < 400  # of 800: BFD needs 150 ms, a busy machine more
        finally:
            lab.process.send_signal(signal.SIGCONT)
        lab.await_message(LinkState, lambda m: (m.datapath, m.neighbour) in both and not m.up)
        network.set_faults([])
        lab.await_message(LinkState, lambda m: m.up)


def reaches_at_last(network: Network, source: str, target: str) -> bool:
    deadline_s = time.monotonic() + 10.0
    while not reaches(network, source, target):
        if time.monotonic() > deadline_s:
            return False
    return True

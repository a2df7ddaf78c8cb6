"""Probes, gaps and health on real switches."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from controller_lab import PATIENCE_S, ControllerLab, control, reaches

from controller.messages import (
    Discovery,
    Gap,
    GroupStats,
    LinkDelays,
    LinkSilence,
    LinkState,
    PortStats,
    SwitchHealth,
)
from testbed.faults import LinkDown, Silent
from testbed.network import Network
from testbed.openvswitch import RUN_DIR
from topologies.catalogue import load_topology
from topologies.model import DirectedLink, Link, Topology

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("runtime")]
DOCUMENT = Path(__file__).parents[2] / "docs" / "northbound.md"
RING = load_topology("ring")
BETWEEN_DELAYS_MS = 30.0
"""More than probes and echoes are late on a busy machine."""


def miscabled(topology: Topology) -> Topology:
    """The ring with the cables of s1-s2 and s4-s5 exchanged; the other ports are as they were."""
    shape = topology.link_between["s1", "s2"].shape
    ends = ("s2", "s5"), ("s2", "s3"), ("s3", "s4"), ("s1", "s4"), ("s5", "s6"), ("s6", "s1")
    cables = (Link(a, b, shape) for a, b in ends)
    return replace(topology, links=(*cables, *topology.access_links))


def unlike(topology: Topology) -> Topology:
    """Every core link has a delay of its own, far from that of any other."""
    core = tuple(
        replace(link, shape=replace(link.shape, delay_ms=number * BETWEEN_DELAYS_MS))
        for number, link in enumerate(topology.core_links, start=1)
    )
    return replace(topology, links=(*core, *topology.access_links))


def await_delays(lab: ControllerLab, configured_ms: Mapping[DirectedLink, float]) -> None:
    """Wait until each link has been measured as no other link could be.

    A probe is never quicker than its link: what was taken off for the channel is its error.
    """
    missing = dict(configured_ms)
    deadline_s = time.monotonic() + PATIENCE_S
    while missing:
        assert time.monotonic() < deadline_s, missing
        told = lab.await_message(LinkDelays)
        for link in told.links:
            hop = told.datapath, link.neighbour
            if link.delay_ms is None or link.error_ms is None:
                continue
            assert link.delay_ms + link.error_ms > configured_ms[hop] - 1, hop
            if abs(link.delay_ms - configured_ms[hop]) < BETWEEN_DELAYS_MS / 2:
                missing.pop(hop, None)


@pytest.mark.topology(unlike(RING))
def test_probes_find_every_link_and_its_delay(network: Network, tmp_path: Path) -> None:
    with control(network, tmp_path, "--protected") as lab:
        found = lab.await_message(Discovery)
        assert found.links == len(network.topology.core_directions)
        assert (found.as_configured, found.miscabled) == (found.links, ())
        configured_ms = {
            direction: link.shape.delay_ms
            for link in network.topology.core_links
            for direction in link.directions
        }
        await_delays(lab, configured_ms)
        assert lab.await_message(SwitchHealth, lambda m: 0 < m.echo_ms < 250)
        groups = lab.await_message(GroupStats, lambda m: bool(m.groups))
        assert all(group.bucket_packets for group in groups.groups)


@pytest.mark.topology(miscabled(RING))
def test_a_wrong_cable_is_found(network: Network, tmp_path: Path) -> None:
    one_way = {(("s1", "s2"), ("s4", "s5")), (("s2", "s1"), ("s5", "s4"))}
    wrong = one_way | {(arrives, leaves) for leaves, arrives in one_way}
    with control(network, tmp_path, believed=RING) as lab:
        assert not reaches(network, "h1", "h2")
        found = lab.await_message(Discovery, lambda m: len(m.miscabled) == len(wrong))
        assert wrong == {
            ((one.datapath, one.neighbour), (one.far_datapath, one.far_neighbour))
            for one in found.miscabled
        }


def test_a_silent_link_is_suspected_and_heard_again(network: Network, tmp_path: Path) -> None:
    with control(network, tmp_path) as lab:
        lab.await_message(Discovery)
        network.set_faults([Silent((("s1", "s2"),))])
        told = lab.await_message(LinkSilence)
        assert (told.datapath, told.neighbour, told.silent) == ("s1", "s2", True)
        network.set_faults([])
        told = lab.await_message(LinkSilence)
        assert (told.datapath, told.neighbour, told.silent) == ("s1", "s2", False)


@pytest.mark.bfd
def test_a_port_says_what_it_has_lost(network: Network, tmp_path: Path) -> None:
    with control(network, tmp_path, "--protected") as lab:
        network.set_faults([Silent((("s1", "s2"), ("s2", "s1")))])
        told = lab.await_message(LinkState, lambda m: not m.up)
        assert told.cause == "bfd"
        network.set_faults([])
        assert lab.await_message(LinkState, lambda m: m.up).cause == ""
        network.set_faults([LinkDown(("s1", "s3"))])
        lab.await_message(LinkState, lambda m: not m.up and m.cause == "carrier")


def test_switches_that_hang_leave_gaps(network: Network, tmp_path: Path) -> None:
    vswitchd = int((RUN_DIR / "ovs-vswitchd.pid").read_text())
    with control(network, tmp_path) as lab:
        before = lab.await_message(PortStats, lambda m: m.datapath == "s1")
        os.kill(vswitchd, signal.SIGSTOP)
        try:
            gap = lab.await_message(
                Gap, lambda m: (m.datapath, m.missing) == (before.datapath, "port-stats")
            )
        finally:
            os.kill(vswitchd, signal.SIGCONT)
        assert gap.answered_s is not None
        assert before.t_s <= gap.t_s
        again = lab.await_message(PortStats, lambda m: m.datapath == gap.datapath)
        assert again.t_s > gap.t_s
        health = lab.await_message(SwitchHealth, lambda m: m.datapath == gap.datapath)
        assert health.outstanding >= 0


def test_the_client_by_hand_moves_a_pair(network: Network, tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[0]
    (tmp_path / "client.py").write_text(code)
    with control(network, tmp_path):

        def move(*path: str) -> subprocess.CompletedProcess[str]:
            words = [sys.executable, "client.py", "northbound.sock", "h1", "h2", *path]
            return subprocess.run(
                words, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
            )

        done = move("s1", "s3", "s2")
        assert done.returncode == 0, done.stderr
        assert "ms until switched" in done.stdout
        refused = move("s1", "s9", "s2")
        assert refused.returncode == 1
        assert "there is no switch s9" in refused.stderr

"""What only the link daemon does; what every backend does is in test_links.py."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from raw_frames import OneLink

from testbed import openvswitch, sandbox
from testbed.links.backend import LinkCondition, LinkError
from testbed.links.userspace import UserspaceLinks
from topologies.addressing import address
from topologies.model import Link, LinkShape, Switch, Topology

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(not Path("/dev/net/tun").exists(), reason="no TAP devices"),
]

FAST = LinkShape(rate_bps=100e6, delay_ms=1.0)
SILENT = LinkCondition(passes=(False, False))


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[UserspaceLinks | None]:
    if not os.environ.get("TWINBED_TEST_INSIDE"):
        yield None  # the test body runs inside only
        return
    sandbox.furnish(openvswitch.environment())
    backend = UserspaceLinks(tmp_path / "link-daemon.log")
    yield backend
    process = backend.processes()["link-daemon"]
    process.kill()
    process.wait()


def test_an_interface_set_down_loses_frames_at_its_end_only(daemon: UserspaceLinks) -> None:
    link = OneLink(daemon, FAST)
    subprocess.run(["ip", "link", "set", link.b.interface, "down"], check=True)
    try:
        for number in range(20):
            link.a.send(number, 100)
        wait_for(lambda: link.counters()[0].dropped_by_fault == 20)
        assert link.a.carrier
    finally:
        subprocess.run(["ip", "link", "set", link.b.interface, "up"], check=True)
    wait_for(lambda: Path(f"/sys/class/net/{link.b.interface}/operstate").read_text() != "down\n")


def test_requests_wait_for_their_instants_and_hold_up_no_others(daemon: UserspaceLinks) -> None:
    link = OneLink(daemon, FAST)
    start_s = time.monotonic() + 0.3
    instants_s = [start_s + 0.02, start_s, start_s + 0.01]
    done_s = dict.fromkeys(instants_s, 0.0)

    def change(at_s: float) -> None:
        done_s[at_s] = daemon.set_shape(link.link, replace(FAST, delay_ms=2.0), at_s)

    changes = [threading.Thread(target=change, args=(at_s,)) for at_s in instants_s]
    for thread in changes:
        thread.start()
    assert daemon.counters()
    assert time.monotonic() < start_s, "the question waited for the requests"
    for thread in changes:
        thread.join()
    for at_s, in_force_s in done_s.items():
        assert at_s <= in_force_s < at_s + 0.05


def test_links_fail_all_at_once(daemon: UserspaceLinks) -> None:
    topology = pairs(50)
    daemon.create(topology, address(topology))
    conditions = dict.fromkeys(topology.links, LinkCondition(carrier=(False, True)))
    at_s = time.monotonic() + 0.2
    assert at_s <= daemon.set_condition(conditions, at_s) < at_s + 0.1
    for name, carrier in (("a7-eth1", "0"), ("b7-eth1", "1")):
        assert Path(f"/sys/class/net/{name}/carrier").read_text().strip() == carrier


def test_a_hundred_links_start_quickly(daemon: UserspaceLinks) -> None:
    topology = pairs(100)
    start_s = time.monotonic()
    daemon.create(topology, address(topology))
    assert time.monotonic() - start_s < 5.0  # 0.15 s on an idle machine
    assert len(daemon.counters()) == 200


def test_a_name_that_is_taken_is_refused_by_name(daemon: UserspaceLinks) -> None:
    veth = ["type", "veth", "peer", "name", "other"]
    subprocess.run(["ip", "link", "add", "b0-eth1", *veth], check=True)
    topology = pairs(1)
    with pytest.raises(LinkError, match=r"refused: .*b0-eth1"):
        daemon.create(topology, address(topology))


def test_the_death_of_the_daemon_is_noticed_at_once(daemon: UserspaceLinks) -> None:
    link = OneLink(daemon, FAST)
    errors: list[LinkError] = []

    def fail_later() -> None:
        try:
            daemon.set_condition({link.link: SILENT}, time.monotonic() + 60.0)
        except LinkError as error:
            errors.append(error)

    asker = threading.Thread(target=fail_later)
    asker.start()
    daemon.processes()["link-daemon"].kill()
    asker.join(timeout=10.0)
    assert not asker.is_alive()
    with pytest.raises(LinkError, match=r"has ended|cannot be reached"):
        daemon.counters()
    assert "link daemon" in str(errors[0])


def pairs(links: int) -> Topology:
    names = [(f"a{number}", f"b{number}") for number in range(links)]
    return Topology(
        "pairs",
        tuple(Switch(name, name) for pair in names for name in pair),
        (),
        tuple(Link(a, b, FAST) for a, b in names),
    )


def wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline_s, "it did not come about"
        time.sleep(0.01)

"""Each kind of fault on packets and on what the switches are told, and back again.

The bounds are wide: the tests also run where a fork takes 10 ms.
"""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest
from controller_lab import control, reaches
from static_routes import install_shortest_paths

from controller.messages import DatapathState, LinkState, Message
from testbed.faults import (
    Degraded,
    EndDown,
    Fault,
    HostCrash,
    LinkDown,
    Silent,
    SwitchCrash,
)
from testbed.network import Network

pytestmark = pytest.mark.sandbox

LINK = ("s1", "s2")
PINGS = 5
AHEAD_S = 0.3
INSTANT_ERROR_S = 1.5
"""On a quiet machine below 5 ms; where forks are slow, a switch takes half a second to build."""


def make_hold(network: Network, *faults: Fault) -> None:
    """These faults alone, at an instant ahead, which they keep."""
    at_s = time.monotonic() + AHEAD_S
    done_s = network.set_faults(faults, at_s)
    assert at_s <= done_s < at_s + INSTANT_ERROR_S
    assert done_s <= time.monotonic()


def ping(network: Network, source: str, target: str) -> tuple[int, int]:
    """How many of `PINGS` pings reach `target`, and how many of their echoes come back."""
    before = _echo_requests(network, target)
    argv = ["ping", "-q", "-c", str(PINGS), "-i", "0.05", "-W", "1"]
    done = network.hosts.run(source, [*argv, network.addressing.ipv4[target]])
    answered = re.search(r"(\d+) received", done.stdout.decode())
    assert answered, done
    return _echo_requests(network, target) - before, int(answered[1])


def _echo_requests(network: Network, host: str) -> int:
    snmp = Path(f"/proc/{network.hosts.pid(host)}/net/snmp").read_text().splitlines()
    names, values = (line.split() for line in snmp if line.startswith("Icmp:"))
    return int(values[names.index("InEchos")])


def await_state(network: Network, switch: str, neighbour: str, state: str) -> None:
    interface = network.addressing.interface(switch, neighbour)
    command = ["ovs-vsctl", "--timeout=10", "wait-until", "Interface", interface]
    subprocess.run([*command, f"link_state={state}"], check=True)


def link_state(network: Network, switch: str, neighbour: str) -> str:
    return _vsctl("get", "Interface", network.addressing.interface(switch, neighbour), "link_state")


def _vsctl(*arguments: str) -> str:
    return subprocess.run(
        ["ovs-vsctl", *arguments], capture_output=True, text=True, check=True
    ).stdout.strip()


def bridges() -> set[str]:
    return set(_vsctl("list-br").split())


def flows(switch: str) -> int:
    command = ["ovs-ofctl", "-OOpenFlow13", "dump-flows", switch]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return shown.count("actions=")


def test_a_link_down_one_end_down_and_a_silent_link(network: Network) -> None:
    install_shortest_paths(network)
    assert ping(network, "h1", "h2") == (PINGS, PINGS)

    make_hold(network, LinkDown(LINK))
    for ends in (LINK, LINK[::-1]):
        await_state(network, *ends, "down")
    assert ping(network, "h1", "h2") == (0, 0)

    make_hold(network, EndDown(LINK, "s1"))
    await_state(network, *LINK[::-1], "up")
    assert link_state(network, *LINK) == "down"
    assert ping(network, "h1", "h2") == (0, 0)
    assert ping(network, "h2", "h1") == (0, 0)

    make_hold(network, Silent((LINK,)))
    await_state(network, *LINK, "up")
    assert link_state(network, *LINK[::-1]) == "up"
    assert ping(network, "h1", "h2") == (0, 0)
    assert ping(network, "h2", "h1") == (PINGS, 0)  # the echoes vanish

    make_hold(network, Silent((LINK, LINK[::-1])))
    assert ping(network, "h2", "h1") == (0, 0)
    assert {link_state(network, *LINK), link_state(network, *LINK[::-1])} == {"up"}

    make_hold(network)
    assert ping(network, "h1", "h2") == (PINGS, PINGS)
    assert ping(network, "h1", "h3") == (PINGS, PINGS)


def test_a_degraded_link_delays_and_loses_and_is_as_before_in_the_end(network: Network) -> None:
    def shortest_ms() -> float:
        argv = ["ping", "-q", "-c", "10", "-i", "0.05", "-W", "1", network.addressing.ipv4["h2"]]
        found = re.search(r"= ([\d.]+)/", network.hosts.run("h1", argv).stdout.decode())
        assert found
        return float(found[1])

    install_shortest_paths(network)
    healthy_ms = shortest_ms()
    delay_ms = network.topology.link_between[LINK].shape.delay_ms
    make_hold(network, Degraded(LINK, delay_ms=delay_ms + 40.0, share=0.5))
    assert healthy_ms + 38.0 < shortest_ms() < healthy_ms + 60.0  # 20 ms each way
    make_hold(network, Degraded(LINK, loss_percent=100.0))
    assert ping(network, "h1", "h2") == (0, 0)
    assert {link_state(network, *LINK), link_state(network, *LINK[::-1])} == {"up"}
    make_hold(network)
    assert abs(shortest_ms() - healthy_ms) < 5.0


def test_a_crashed_switch_loses_everything_and_comes_back_empty(network: Network) -> None:
    install_shortest_paths(network)
    ports = [end for end in network.addressing.port if end[0] == "s2"]
    assert flows("s2") > 0
    identity = _vsctl("get", "Bridge", "s2", "datapath_id")

    make_hold(network, SwitchCrash("s2"), LinkDown(LINK))
    await_state(network, "s1", "s2", "down")
    await_state(network, "s3", "s2", "down")
    assert bridges() == {"s1", "s3"}
    assert ping(network, "h1", "h2") == (0, 0)
    assert ping(network, "h1", "h3") == (PINGS, PINGS)

    make_hold(network, LinkDown(LINK))
    await_state(network, "s3", "s2", "up")
    assert link_state(network, "s1", "s2") == "down"  # this fault has not ended
    assert bridges() == {"s1", "s2", "s3"}
    assert flows("s2") == 0
    assert _vsctl("get", "Bridge", "s2", "datapath_id") == identity
    assert _vsctl("get-fail-mode", "s2") == "secure"
    assert _vsctl("get-controller", "s2") == _vsctl("get-controller", "s1")
    for end in ports:
        number = _vsctl("get", "Interface", network.addressing.interface(*end), "ofport")
        assert int(number) == network.addressing.port[end]
    assert ping(network, "h3", "h2") == (0, 0)

    make_hold(network)
    await_state(network, "s1", "s2", "up")
    install_shortest_paths(network)
    assert ping(network, "h1", "h2") == (PINGS, PINGS)


def test_a_crashed_host_loses_its_processes_and_no_one_elses(network: Network) -> None:
    install_shortest_paths(network)
    sleeping = {host: network.hosts.start(host, ["sleep", "600"]) for host in ("h1", "h2")}
    make_hold(network, HostCrash("h2"))
    assert sleeping["h2"].wait(10) == -9
    assert sleeping["h1"].poll() is None
    await_state(network, "s2", "h2", "down")
    assert ping(network, "h1", "h2") == (0, 0)
    for process in network.links.processes().values():
        assert process.poll() is None

    make_hold(network)
    await_state(network, "s2", "h2", "up")
    assert ping(network, "h1", "h2") == (PINGS, PINGS)
    sleeping["h1"].kill()
    sleeping["h1"].wait()


def test_who_is_told_of_what_and_the_controller_fills_a_switch_again(
    network: Network, tmp_path: Path
) -> None:
    with control(network, tmp_path) as lab:
        up: dict[tuple[str, str], bool] = {}

        def news() -> Message:
            """The next message that is not only another cause of what is known."""
            while True:
                message = lab.await_message(Message)
                if not isinstance(message, LinkState):
                    return message
                port = message.datapath, message.neighbour
                if up.get(port, True) != message.up:
                    up[port] = message.up
                    return message

        def told(*faults: Fault, last: tuple[str, str, bool]) -> set[tuple[str, str, bool]]:
            """Port states reported since the faults were made, up to the one of `last`."""
            make_hold(network, *faults)
            seen: set[tuple[str, str, bool]] = set()
            while last not in seen:
                if isinstance(state := news(), LinkState):
                    seen.add((state.datapath, state.neighbour, state.up))
            return seen

        assert told(EndDown(LINK, "s2"), last=("s2", "s1", False)) == {("s2", "s1", False)}
        assert told(last=("s2", "s1", True)) == {("s2", "s1", True)}

        make_hold(network, SwitchCrash("s2"))
        crashed: set[object] = {("s1", "s2", False), ("s3", "s2", False), ("s2", False)}
        while crashed:
            message = news()
            if isinstance(message, LinkState):  # a crashed switch reports nothing itself
                crashed.remove((message.datapath, message.neighbour, message.up))
            elif isinstance(message, DatapathState):
                crashed.remove((message.datapath, message.connected))
        assert reaches(network, "h1", "h3")

        make_hold(network)
        lab.await_message(DatapathState, lambda m: m.datapath == "s2" and m.connected)
        deadline_s = time.monotonic() + 15.0
        pairs = [("h1", "h2"), ("h2", "h3"), ("h3", "h1")]
        while not all(reaches(network, *pair) for pair in pairs):
            assert time.monotonic() < deadline_s, "the switch was not filled again"

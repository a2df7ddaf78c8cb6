"""The tc commands of the kernel backend; tests/kernel runs them on a kernel that has netem."""

from __future__ import annotations

from testbed.links.kernel import queueing_disciplines
from topologies.model import LinkShape


def test_a_new_interface_gets_htb_with_netem_below() -> None:
    shape = LinkShape(rate_bps=12e6, delay_ms=10.0, loss_percent=1.5, queue_packets=50)
    root, rate, delay = queueing_disciplines("add", "s1-eth2", shape)
    assert " ".join(root) == "qdisc add dev s1-eth2 root handle 1: htb default 1"
    assert " ".join(rate).startswith(
        "class add dev s1-eth2 parent 1: classid 1:1 htb rate 12000000bit"
    )
    # 12 Mbit/s for 10 ms are 10 frames of 1500 bytes in flight, besides the 50 in the queue.
    assert " ".join(delay).endswith("netem limit 60 delay 10.0ms loss 1.5%")


def test_a_change_leaves_the_root_alone() -> None:
    commands = queueing_disciplines("change", "s1-eth2", LinkShape(rate_bps=1e6, delay_ms=1.0))
    assert [command[1] for command in commands] == ["change", "change"]
    assert not any("root" in command for command in commands)

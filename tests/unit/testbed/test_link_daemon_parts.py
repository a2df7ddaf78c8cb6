"""What the link daemon knows about itself: lateness, wake-up latency, load."""

from __future__ import annotations

import random
import socket
import threading
import time

import msgspec
import pytest

from testbed.links.backend import LinkError
from testbed.links.client import DaemonClient
from testbed.links.lateness import Lateness
from testbed.links.load import Load
from testbed.links.protocol import (
    MAX_MESSAGE_BYTES,
    Answered,
    Asked,
    Count,
    Counted,
    Failed,
    Inspect,
    Inspected,
)
from testbed.links.wakeup import WakeUp


def test_lateness_is_told_to_a_tenth_and_from_then_on() -> None:
    lateness = Lateness()
    for late_ns in (*[100_000] * 98, *[2_000_000] * 2, -5_000):
        lateness.add(late_ns)
    assert 2.0 <= lateness.take_p99_ms() <= 2.2
    assert lateness.take_p99_ms() == 0.0


def test_more_lateness_than_the_last_step_is_told_as_that() -> None:
    lateness = Lateness()
    lateness.add(60_000_000_000)
    assert lateness.take_p99_ms() > 500.0


def test_waking_up_is_learnt_by_the_length_of_the_sleep() -> None:
    wake_up = WakeUp()
    for sample in range(1000):
        wake_up.learn(20_000_000, 10_000_000 if sample % 10 == 0 else 120_000)
        wake_up.learn(1_000_000, 30_000)
    assert wake_up.latency_ns(20_000_000) == pytest.approx(120_000, abs=5_000), "the median"
    assert wake_up.latency_ns(1_000_000) == pytest.approx(30_000, abs=5_000)


def test_the_allowance_for_a_timer_is_late_one_time_in_ten() -> None:
    wake_up = WakeUp()
    draw = random.Random(1)
    took_ns = [round(draw.uniform(20_000, 120_000)) for _ in range(4_000)]
    late = 0
    for number, ns in enumerate(took_ns):
        late += number >= 2_000 and ns > wake_up.allowance_ns(1_000_000)
        wake_up.learn(1_000_000, ns)
    assert 0.05 < late / 2_000 < 0.2
    assert wake_up.latency_ns(1_000_000) == pytest.approx(70_000, abs=15_000)


def test_many_frames_are_a_load_and_few_are_not() -> None:
    load = Load(WakeUp())
    for frames, is_busy in ((1_000_000, True), (1, False)):
        load.begin_turn()
        time.sleep(0.006)
        load.frames = frames
        load.begin_turn()
        assert load.is_busy is is_busy


@pytest.fixture
def ends() -> tuple[DaemonClient, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return DaemonClient(ours), theirs


def test_answers_find_their_requests_in_any_order(ends: tuple[DaemonClient, socket.socket]) -> None:
    client, daemon = ends
    answers: dict[str, object] = {}
    askers = [
        threading.Thread(target=lambda r=request: answers.update({type(r).__name__: client.ask(r)}))
        for request in (Inspect(), Count())
    ]
    for asker in askers:
        asker.start()
    decoder = msgspec.json.Decoder(Asked)
    asked = [decoder.decode(daemon.recv(MAX_MESSAGE_BYTES)) for _ in askers]
    for one in reversed(asked):
        answer = Inspected(1.5) if isinstance(one.request, Inspect) else Counted(())
        daemon.send(msgspec.json.encode(Answered(one.number, answer)))
    for asker in askers:
        asker.join()
    assert answers == {"Inspect": Inspected(1.5), "Count": Counted(())}


def test_a_refusal_says_why(ends: tuple[DaemonClient, socket.socket]) -> None:
    client, daemon = ends

    def refuse() -> None:
        asked = msgspec.json.decode(daemon.recv(MAX_MESSAGE_BYTES), type=Asked)
        daemon.send(msgspec.json.encode(Answered(asked.number, Failed("s1-eth1 is taken"))))

    threading.Thread(target=refuse).start()
    with pytest.raises(LinkError, match="s1-eth1 is taken"):
        client.ask(Inspect())


def test_the_end_of_the_daemon_is_an_error_now_and_later(
    ends: tuple[DaemonClient, socket.socket],
) -> None:
    client, daemon = ends
    threading.Timer(0.05, daemon.close).start()
    for _ in range(2):
        with pytest.raises(LinkError, match=r"ended|cannot be reached"):
            client.ask(Inspect())

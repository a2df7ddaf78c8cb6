from __future__ import annotations

from benchmarks.controller_restart import Restarts, judge


def test_not_one_packet_may_be_lost() -> None:
    assert judge(Restarts(8000, 0, (500.0,))).targets[0].met
    assert not judge(Restarts(8000, 1, (500.0,))).targets[0].met
    assert not judge(None).targets[0].met

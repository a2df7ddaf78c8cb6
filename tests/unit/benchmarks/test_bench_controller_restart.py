from __future__ import annotations

from benchmarks.controller_restart import Restarts, judge

NAME = "controller restart, away for 0.5 s"


def test_not_one_packet_may_be_lost() -> None:
    assert judge(NAME, Restarts(8000, 0, (500.0,))).targets[0].met
    assert not judge(NAME, Restarts(8000, 1, (500.0,))).targets[0].met
    assert not judge(NAME, None).targets[0].met


def test_the_other_fail_mode_stands_beside_it() -> None:
    (target,) = judge(NAME, Restarts(8000, 0, (500.0,))).targets
    verdict = judge(NAME, Restarts(8000, 7, (500.0,)), beside="standalone fail mode")
    assert not verdict.targets
    assert verdict.beside == {"standalone fail mode": {target.name: 7}}

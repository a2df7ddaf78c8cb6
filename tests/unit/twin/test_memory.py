from __future__ import annotations

from twin.memory import Learnt, learnt
from twin.model import Correction
from twin.records import Calibration, CapacityLearnt, GainScored


def calibration(name: str, after: float) -> Calibration:
    return Calibration(t_s=1.0, name=name, before=1.0, after=after, error=0.0)


def capacity(sender: str, after_bps: float) -> CapacityLearnt:
    return CapacityLearnt(
        t_s=1.0,
        sender=sender,
        receiver="s9",
        configured_bps=10e6,
        before_bps=10e6,
        after_bps=after_bps,
        loss=0.1,
    )


def test_the_last_word_on_everything_counts() -> None:
    scored = GainScored(t_s=1.0, decision_id="1", promised=0.2, realised=0.1, trust=0.7)
    records = [
        *(calibration("load-gain", 1.05), capacity("s1", 7e6), capacity("s2", 4e6), scored),
        *(calibration("load-gain", 1.02), calibration("variance", 0.5), capacity("s1", 5e6)),
    ]
    factors = {("s1", "s9"): 0.5, ("s2", "s9"): 0.4}
    assert learnt(records) == Learnt(Correction(1.02, 0.5, factors), 0.7)
    assert learnt([]) == Learnt()

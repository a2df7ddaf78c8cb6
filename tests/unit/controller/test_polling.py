"""How often a switch is asked: less often the slower it answers, and never twice at once."""

from __future__ import annotations

from itertools import pairwise

from controller.polling import Poll


def run(poll: Poll, ticks: range, *, answers: bool) -> dict[int, str]:
    """What was due at which tick."""
    due: dict[int, str] = {}
    for number in ticks:
        if what := poll.tick(number):
            due[number] = what
            if what == "ask" and answers:
                poll.answered(float(number))
    return due


def test_a_prompt_switch_is_asked_at_its_pace_and_phase() -> None:
    assert list(run(Poll(every=1), range(4), answers=True)) == [0, 1, 2, 3]
    assert list(run(Poll(every=4, phase=1), range(12), answers=True)) == [1, 5, 9]


def test_a_missing_answer_is_one_gap_and_no_more_questions() -> None:
    poll = Poll(every=2)
    assert run(poll, range(20), answers=False) == {0: "ask", 2: "gap"}
    assert poll.overdue
    assert poll.outstanding


def test_a_slow_switch_is_asked_more_rarely_and_a_prompt_one_soon_as_before() -> None:
    poll = Poll(every=1)
    for number in range(40):  # each answer comes two ticks late
        if poll.tick(number) == "gap":
            poll.answered(float(number))
    assert poll.slowdown == 8
    asked = list(run(poll, range(40, 80), answers=True))
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert poll.slowdown == 1
    assert pauses[-10:] == [1] * 10
    assert poll.answered_s == 79.0


def test_what_there_is_none_of_is_asked_for_rarely() -> None:
    poll = Poll(every=4)
    asked = []
    for number in range(100):
        if poll.tick(number):
            asked.append(number)
            poll.answered(0.0, empty=True)
    assert asked == [0, 20, 40, 60, 80]


def test_a_lost_connection_owes_nothing() -> None:
    poll = Poll(every=1)
    run(poll, range(5), answers=False)
    poll.forget()
    assert not poll.outstanding
    assert not poll.overdue

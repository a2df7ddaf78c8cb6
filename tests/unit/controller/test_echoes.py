from __future__ import annotations

from controller.echoes import Echoes


def test_the_channel_is_as_quick_as_its_quickest_echo_of_late() -> None:
    echoes = Echoes()
    assert echoes.least_s is None
    for round_trip_s in (0.1, *[0.3] * 9):
        echoes.add(round_trip_s)
    assert echoes.least_s == 0.1
    echoes.add(0.3)
    assert echoes.least_s == 0.3

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from recorded_run import RecordedRun, triangle

from results.metrics.links import link_frames
from results.recording import Recording, load_recording
from results.timeline import Window


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    matrices = np.zeros((24, 3, 3))
    matrices[:, 0, 1] = 4e6
    return load_recording(RecordedRun(triangle(), matrices).write(tmp_path / "run"))


def test_the_window_counts_and_what_came_before_does_not(recording: Recording) -> None:
    assert recording.window is not None
    frames = link_frames(recording.links, recording.topology, recording.window)
    # 20 samples, from second 4.5 to second 23.5
    assert [one.direction for one in frames[:2]] == [("ha", "a"), ("a", "ha")]
    assert {(one.received, one.sent, one.dropped_by_queue) for one in frames} == {(1900, 1881, 19)}
    assert {(one.queue_high_water_packets, one.duplicated) for one in frames} == {(7, None)}
    assert len(frames) == 2 * len(recording.topology.links)


def test_a_difference_needs_two_samples(recording: Recording) -> None:
    assert recording.window is not None
    short = Window(recording.window.start_s, recording.window.start_s + 1.0)
    assert link_frames(recording.links, recording.topology, short) == ()

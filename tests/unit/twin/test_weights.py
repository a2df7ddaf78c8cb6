from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from twin.weights import save_weights


@pytest.fixture
def almost_full() -> Iterator[None]:
    """No file can have more than a kilobyte."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_weights_are_read_back(tmp_path: Path) -> None:
    one, other = nn.Linear(3, 2), nn.Linear(3, 2)
    save_weights(one, tmp_path / "w.pt")
    other.load_state_dict(torch.load(tmp_path / "w.pt", weights_only=True))
    assert torch.equal(one.weight, other.weight)


@pytest.mark.usefixtures("almost_full")
def test_what_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    file.write_bytes(b"before")
    with pytest.raises(OSError, match="File too large"):
        save_weights(nn.Linear(100, 100), file)
    assert file.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [file]
